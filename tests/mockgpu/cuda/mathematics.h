// CUDA's mathematical functions. The fast ones (__expf) are as exact as the others here; on a GPU they are less exact.
#pragma once

using std::abs; using std::acos; using std::acosh; using std::asin; using std::asinh; using std::atan;
using std::atan2; using std::atanh; using std::cbrt; using std::ceil; using std::copysign; using std::cos;
using std::cosh; using std::erf; using std::erfc; using std::exp; using std::exp2; using std::expm1; using std::fabs;
using std::floor; using std::fma; using std::fmax; using std::fmin; using std::fmod; using std::frexp;
using std::hypot; using std::ilogb; using std::isfinite; using std::isinf; using std::isnan; using std::ldexp;
using std::lgamma; using std::llrint; using std::log; using std::log10; using std::log1p; using std::log2;
using std::logb; using std::lrint; using std::modf; using std::nearbyint; using std::nextafter; using std::pow;
using std::remainder; using std::rint; using std::round; using std::scalbn; using std::signbit; using std::sin;
using std::sinh; using std::sqrt; using std::tan; using std::tanh; using std::tgamma; using std::trunc;

static inline float rsqrtf(float x) { return 1 / sqrtf(x); }
static inline float rsqrt(float x) { return 1 / sqrtf(x); }
static inline double rsqrt(double x) { return 1 / sqrt(x); }
static inline float sinpi(float x) { return sinf(3.14159265f * x); }
static inline double sinpi(double x) { return sin(3.141592653589793 * x); }
static inline float normcdff(float x) { return 0.5f * erfcf(-0.70710678f * x); }
static inline float normcdf(float x) { return normcdff(x); }
static inline double normcdf(double x) { return 0.5 * erfc(-0.7071067811865476 * x); }
static inline float __saturatef(float x) { return fminf(fmaxf(x, 0), 1); }

// glibc has functions of these names itself, hence macros.
#define __expf expf
#define __exp10f exp10f
#define __logf logf
#define __log2f log2f
#define __log10f log10f
#define __powf powf
#define __sinf sinf
#define __cosf cosf
#define __tanf tanf
static inline float __fdividef(float x, float y) { return x / y; }
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fsub_rn(float x, float y) { return x - y; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline float __fdiv_rn(float x, float y) { return x / y; }
static inline float __frcp_rn(float x) { return 1 / x; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __frsqrt_rn(float x) { return 1 / sqrtf(x); }
static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
static inline int __float2int_rn(float x) { return (int)rintf(x); }
static inline int __float2int_rz(float x) { return (int)x; }
static inline int __float2int_rd(float x) { return (int)floorf(x); }
static inline int __float2int_ru(float x) { return (int)ceilf(x); }
static inline float __int2float_rn(int x) { return (float)x; }
static inline float __uint2float_rn(unsigned x) { return (float)x; }

// max and min take any two numbers; of a number and a NaN they give the number.
template <class A, class B>
using mock_both = std::enable_if_t<std::is_arithmetic_v<A> && std::is_arithmetic_v<B>, std::common_type_t<A, B>>;

template <class A, class B>
static inline mock_both<A, B> max(A a, B b) {
    using T = mock_both<A, B>;
    if constexpr (std::is_floating_point_v<T>) return std::fmax((T)a, (T)b);
    else return (T)a < (T)b ? (T)b : (T)a;
}

template <class A, class B>
static inline mock_both<A, B> min(A a, B b) {
    using T = mock_both<A, B>;
    if constexpr (std::is_floating_point_v<T>) return std::fmin((T)a, (T)b);
    else return (T)b < (T)a ? (T)b : (T)a;
}
