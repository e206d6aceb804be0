// Intrinsics on bits.
#pragma once

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
static inline int __mulhi(int a, int b) { return (int)((int64_t)a * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}

template <class To, class From>
static inline To mock_same_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "as many bits on both sides");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}

static inline int __float_as_int(float x) { return mock_same_bits<int>(x); }
static inline unsigned __float_as_uint(float x) { return mock_same_bits<unsigned>(x); }
static inline float __int_as_float(int x) { return mock_same_bits<float>(x); }
static inline float __uint_as_float(unsigned x) { return mock_same_bits<float>(x); }
static inline long long __double_as_longlong(double x) { return mock_same_bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return mock_same_bits<double>(x); }
static inline int __double2hiint(double x) { return (int)(__double_as_longlong(x) >> 32); }
static inline int __double2loint(double x) { return (int)__double_as_longlong(x); }
static inline double __hiloint2double(int high, int low) {
    return __longlong_as_double((long long)((uint64_t)(unsigned)high << 32 | (unsigned)low));
}

template <class T>
static inline T __ldg(const T *pointer) { return *pointer; }
