/* Runs a grid: block after block, and in each block thread after thread.

   One fiber runs threads in a loop. If none of them waits, it runs all threads of all blocks: a kernel without
   barriers needs no switch. A thread that waits at a barrier keeps its fiber, and another fiber goes on
   with the block's remaining threads. When all of them wait or have ended, a round is over, and barriers open. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "device.h"
#include "fiber.h"

enum { MOST_THREADS = 1024, WARP = 32, MOST_SHARED = 232448, PAGE = 4096, POISON = 0xFF };
enum State { NOT_STARTED, RUNNABLE, AT_BLOCK_BARRIER, AT_WARP_BARRIER, ENDED };
struct Index { unsigned x, y, z; };

/* CUDA's built-in variables, as the kernels see them. */
struct Index threadIdx, blockIdx, blockDim, gridDim;
char *mock_dynamic_shared;

static const struct Launch *launch;
static size_t block_count, blocks_begun;
static unsigned *block_order;

/* A position is a thread's place in the order of running; its number is the place that CUDA gives it. */
static int thread_count, threads_begun, unfinished, ended_last;
static int number_at[MOST_THREADS], position_of[MOST_THREADS];
static struct Index index_at[MOST_THREADS];
static unsigned char state[MOST_THREADS]; /* of enum State */
static int at_block_barrier, line_of_block_barrier;
static unsigned warp_mask[MOST_THREADS];
static uint64_t exchanged[MOST_THREADS];

static struct Fiber fibers[MOST_THREADS], *fiber_at[MOST_THREADS], *idle[MOST_THREADS], *current;
static int idle_count, fiber_count;
static void *caller_stack;

/* ---- the order of running ---- */

static uint64_t next_random(uint64_t *seed) { /* SplitMix64 */
    uint64_t z = (*seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void fill_order(unsigned *order, size_t count) {
    uint64_t seed = count;
    for (size_t i = 0; i < count; i++) order[i] = (unsigned)(mock_order == REVERSED ? count - 1 - i : i);
    if (mock_order != SHUFFLED) return;
    for (size_t i = count; i > 1; i--) {
        size_t other = next_random(&seed) % i;
        unsigned kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

static void order_blocks(void) {
    block_count = (size_t)launch->grid[0] * launch->grid[1] * launch->grid[2];
    blocks_begun = 0;
    block_order = realloc(block_order, block_count * sizeof *block_order);
    fill_order(block_order, block_count);
}

static void order_threads(void) {
    static unsigned order[MOST_THREADS], ordered_for[4];
    const unsigned *size = launch->block;
    unsigned wanted[4] = {size[0], size[1], size[2], (unsigned)mock_order};
    if (memcmp(wanted, ordered_for, sizeof wanted) == 0) return; /* as in the launch before */
    memcpy(ordered_for, wanted, sizeof wanted);
    thread_count = (int)(size[0] * size[1] * size[2]);
    fill_order(order, (size_t)thread_count);
    for (int position = 0; position < thread_count; position++) {
        unsigned number = order[position];
        number_at[position] = (int)number;
        position_of[number] = position;
        index_at[position] = (struct Index){number % size[0], number / size[0] % size[1], number / (size[0] * size[1])};
    }
}

/* ---- blocks ---- */

static void poison_shared_memory(void) {
    memset(mock_dynamic_shared, POISON, launch->dynamic_shared);
    char *begin = launch->kernel->static_shared_begin, *end = launch->kernel->static_shared_end;
    if (begin) memset(begin, POISON, (size_t)(end - begin));
}

static int begin_block(void) {
    if (blocks_begun == block_count) return 0;
    unsigned block = block_order[blocks_begun++];
    const unsigned *grid = launch->grid;
    blockIdx = (struct Index){block % grid[0], block / grid[0] % grid[1], block / (grid[0] * grid[1])};
    threads_begun = at_block_barrier = 0;
    unfinished = thread_count;
    memset(state, NOT_STARTED, (size_t)thread_count);
    if (mock_guard) poison_shared_memory();
    return 1;
}

/* Ends the running fiber's thread and begins its next one; 0 if there is none to begin. */
int mock_next_thread(void) {
    if (current->position >= 0) {
        ended_last = current->position;
        state[ended_last] = ENDED;
        unfinished--;
        current->position = -1;
    }
    if (threads_begun == thread_count && (unfinished || !begin_block())) return 0;
    int position = threads_begun++;
    state[position] = RUNNABLE;
    current->position = position;
    fiber_at[position] = current;
    threadIdx = index_at[position];
    return 1;
}

/* ---- barriers ---- */

int mock_lane(void) { return number_at[current->position] % WARP; }

static int lanes_of_warp(int warp) { return thread_count - warp < WARP ? thread_count - warp : WARP; }

/* A lane of the mask for which this lane waits; -1 if all lanes of the mask wait with the same mask. */
static int missing_lane(int warp, int lane) {
    unsigned mask = warp_mask[position_of[warp + lane]];
    for (int other = 0; other < lanes_of_warp(warp); other++) {
        int position = position_of[warp + other];
        if ((mask >> other & 1) && (state[position] != AT_WARP_BARRIER || warp_mask[position] != mask)) return other;
    }
    return -1;
}

static int open_warp_barriers(void) {
    /* Found before any barrier opens: other lanes would miss a lane that is runnable again. */
    static unsigned char opens[MOST_THREADS];
    int opened = 0;
    for (int number = 0; number < thread_count; number++)
        opens[number] = state[position_of[number]] == AT_WARP_BARRIER &&
                        missing_lane(number / WARP * WARP, number % WARP) < 0;
    for (int number = 0; number < thread_count; number++) {
        if (!opens[number]) continue;
        state[position_of[number]] = RUNNABLE;
        opened = 1;
    }
    return opened;
}

/* On a GPU the result is undefined unless all lanes in a mask take part with the same mask. */
static void report_stuck_lane(int warp, int lane) {
    int missing = missing_lane(warp, lane), position = position_of[warp + missing];
    unsigned mask = warp_mask[position_of[warp + lane]];
    if (state[position] == ENDED)
        stop_kernel("divergent barrier: lane %d waits with the mask 0x%08x for lane %d, which has left the kernel. "
                    "Leave it out of the mask, or let it take part.", lane, mask, missing);
    if (state[position] == AT_WARP_BARRIER)
        stop_kernel("divergent barrier: lane %d waits with the mask 0x%08x, lane %d of it with 0x%08x. All lanes in a "
                    "mask must pass the same one.", lane, mask, missing, warp_mask[position]);
}

static void report_stuck_threads(void) {
    for (int number = 0; number < thread_count; number++)
        if (state[position_of[number]] == AT_WARP_BARRIER) report_stuck_lane(number / WARP * WARP, number % WARP);
    int ended = thread_count - unfinished, at_warp = unfinished - at_block_barrier;
    stop_kernel("divergent barrier: %d threads wait at __syncthreads, %d at a warp's barrier, and %d have left the "
                "kernel. All threads of a block must reach the same __syncthreads, and all lanes in a warp's mask the "
                "same shuffle.", at_block_barrier, at_warp, ended);
}

/* At the end of a round every thread waits or has ended. */
static void open_barriers(void) {
    if (at_block_barrier == thread_count) {
        memset(state, RUNNABLE, (size_t)thread_count);
        at_block_barrier = 0;
    } else if (!open_warp_barriers()) {
        report_stuck_threads();
    }
}

/* ---- fibers ---- */

static void run_threads_for_ever(void);

static struct Fiber *fresh_fiber(void) {
    struct Fiber *fiber;
    if (idle_count) {
        fiber = idle[--idle_count];
    } else {
        fiber = &fibers[fiber_count];
        fiber_prepare(fiber, fiber_count++, run_threads_for_ever);
    }
    fiber->position = -1;
    return fiber;
}

/* The next fiber of this round, or the first one of the next round; NULL when the whole grid is done. */
static struct Fiber *choose_fiber(int after) {
    while (unfinished) {
        for (int position = after + 1; position < threads_begun; position++)
            if (state[position] == RUNNABLE) return fiber_at[position];
        if (threads_begun < thread_count) return fresh_fiber();
        open_barriers();
        after = -1;
    }
    return NULL;
}

static void switch_to(struct Fiber *fiber) {
    struct Fiber *previous = current;
    if (fiber == previous) return;
    current = fiber;
    fiber_switch(&previous->stack_pointer, fiber ? fiber->stack_pointer : caller_stack);
}

static void run_threads_for_ever(void) {
    for (;;) {
        launch->kernel->run_threads(launch->arguments);
        idle[idle_count++] = current;
        switch_to(choose_fiber(ended_last));
    }
}

static void wait_at(enum State barrier) {
    int position = current->position;
    state[position] = barrier;
    switch_to(choose_fiber(position));
    threadIdx = index_at[position];
}

void mock_block_barrier(int line) {
    if (at_block_barrier++ == 0) line_of_block_barrier = line;
    if (line != line_of_block_barrier)
        stop_kernel("divergent barrier: this thread waits at __syncthreads in line %d, others of its block in line %d. "
                    "Move the barrier out of the branch.", line, line_of_block_barrier);
    wait_at(AT_BLOCK_BARRIER);
}

void mock_warp_barrier(unsigned mask) {
    if (!(mask >> mock_lane() & 1))
        stop_kernel("warp: lane %d is outside of the mask 0x%08x that it passes. Every lane that calls must be in it.",
                    mock_lane(), mask);
    warp_mask[current->position] = mask;
    wait_at(AT_WARP_BARRIER);
}

/* Publishes a value to the warp and copies the values of all its lanes. */
void mock_warp_exchange(unsigned mask, uint64_t value, uint64_t values[WARP]) {
    int number = number_at[current->position];
    exchanged[number] = value;
    mock_warp_barrier(mask);
    memcpy(values, exchanged + number / WARP * WARP, WARP * sizeof *values);
    mock_warp_barrier(mask); /* no lane publishes a new value before all have read this one */
}

int mock_warp_size(void) { /* the last warp of a block may have fewer lanes */
    return lanes_of_warp(number_at[current->position] / WARP * WARP);
}

void mock_check_source(unsigned mask, int from) {
    if (from >= mock_warp_size() || !(mask >> from & 1))
        stop_kernel("warp: lane %d takes the value of lane %d, which takes no part in the shuffle with the mask "
                    "0x%08x. The result would be undefined.", mock_lane(), from, mask);
}

/* ---- grids ---- */

/* The dynamic shared memory ends at the beginning of a page that faults. */
static char *shared_memory_of(size_t size) {
    static char *end;
    if (!end) {
        size_t room = (MOST_SHARED + PAGE - 1) / PAGE * PAGE;
        char *mapping = mmap(NULL, room + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        end = mapping + room;
        mprotect(end, PAGE, PROT_NONE);
    }
    return end - (size + 15) / 16 * 16;
}

void run_grid(const struct Launch *asked) {
    launch = asked;
    order_blocks();
    order_threads();
    gridDim = (struct Index){asked->grid[0], asked->grid[1], asked->grid[2]};
    blockDim = (struct Index){asked->block[0], asked->block[1], asked->block[2]};
    mock_dynamic_shared = shared_memory_of(asked->dynamic_shared);
    threads_begun = thread_count; /* as if a block had just ended: the first thread begins the first block */
    unfinished = 0;
    current = fresh_fiber();
    fiber_switch(&caller_stack, current->stack_pointer);
}

void abandon_fibers(void) { idle_count = fiber_count = 0; }

void describe_running_thread(char *text, size_t size) {
    snprintf(text, size, "thread (%u, %u, %u) of block (%u, %u, %u)", threadIdx.x, threadIdx.y, threadIdx.z,
             blockIdx.x, blockIdx.y, blockIdx.z);
}
