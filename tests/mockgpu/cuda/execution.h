// A thread's indices and barriers, which the device's core manages.
#pragma once

extern "C" {
extern uint3 threadIdx, blockIdx, blockDim, gridDim;
extern char *mock_dynamic_shared;
int mock_next_thread();
void mock_block_barrier(int line);
void mock_warp_barrier(unsigned mask);
void mock_assertion_failed(const char *condition, int line);
}

static constexpr int warpSize = 32;

// The line tells barriers apart: threads of a block that wait at two different ones are an error.
#define __syncthreads() mock_block_barrier(__LINE__)
#define __syncwarp(...) mock_warp_barrier(mock_mask(__VA_ARGS__))

static inline unsigned mock_mask(unsigned mask = 0xffffffffu) { return mask; }

// Threads run one at a time, so all later threads see what one has written.
static inline void __threadfence() {}
static inline void __threadfence_block() {}
static inline void __threadfence_system() {}

#undef assert
#define assert(condition) ((condition) ? (void)0 : mock_assertion_failed(#condition, __LINE__))
