// CUDA C's additions to the language.
#pragma once
#include <cassert>
#include <cfloat>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <type_traits>
#include <utility>

#define __CUDA_ARCH__ 900

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

// One copy is enough, because one block runs at a time. The section lets the device poison it before each block;
// g++ does not put the variables of templates there.
#define __shared__ static __attribute__((section("mock_shared")))
