// Atomic operations. One thread runs at a time and is never interrupted here, so plain ones are atomic.
#pragma once

#define MOCK_ATOMIC(T, name, result)          \
    static inline T name(T *address, T value) { \
        T old = *address;                     \
        *address = (result);                  \
        return old;                           \
    }
#define MOCK_ATOMIC_OF_INTEGERS(name, result)  \
    MOCK_ATOMIC(int, name, result)             \
    MOCK_ATOMIC(unsigned, name, result)        \
    MOCK_ATOMIC(unsigned long long, name, result)

MOCK_ATOMIC_OF_INTEGERS(atomicAdd, old + value)
MOCK_ATOMIC(float, atomicAdd, old + value)
MOCK_ATOMIC(double, atomicAdd, old + value)
MOCK_ATOMIC_OF_INTEGERS(atomicExch, value)
MOCK_ATOMIC(float, atomicExch, value)
MOCK_ATOMIC(int, atomicSub, old - value)
MOCK_ATOMIC(unsigned, atomicSub, old - value)
MOCK_ATOMIC_OF_INTEGERS(atomicMax, old < value ? value : old)
MOCK_ATOMIC_OF_INTEGERS(atomicMin, value < old ? value : old)
MOCK_ATOMIC_OF_INTEGERS(atomicAnd, old & value)
MOCK_ATOMIC_OF_INTEGERS(atomicOr, old | value)
MOCK_ATOMIC_OF_INTEGERS(atomicXor, old ^ value)
MOCK_ATOMIC(unsigned, atomicInc, old >= value ? 0 : old + 1)
MOCK_ATOMIC(unsigned, atomicDec, old == 0 || old > value ? value : old - 1)

#undef MOCK_ATOMIC
#undef MOCK_ATOMIC_OF_INTEGERS

#define MOCK_COMPARE_AND_SWAP(T)                            \
    static inline T atomicCAS(T *address, T compare, T value) { \
        T old = *address;                                   \
        if (old == compare) *address = value;               \
        return old;                                         \
    }

MOCK_COMPARE_AND_SWAP(int)
MOCK_COMPARE_AND_SWAP(unsigned)
MOCK_COMPARE_AND_SWAP(unsigned short)
MOCK_COMPARE_AND_SWAP(unsigned long long)
#undef MOCK_COMPARE_AND_SWAP
