// Included before every CUDA C source: turns it into C++17, which g++ compiles for the pretend device.
#pragma once
#include "language.h"
#include "vector_types.h"
#include "execution.h"
#include "warp.h"
#include "bits.h"
#include "mathematics.h"
#include "atomics.h"
#include "launching.h"
