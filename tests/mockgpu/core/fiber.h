/* Fibers: stacks of their own that take turns on one processor, so that a thread can wait at a barrier half-way. */
#pragma once

struct Fiber {
    void *stack_pointer;
    int position; /* of the thread that it runs, in the block's order of running */
};

/* Prepares a fiber that calls `entry`, which must never return. `number` tells the fibers' stacks apart. */
void fiber_prepare(struct Fiber *fiber, int number, void (*entry)(void));

/* Stops here, storing the stack pointer in `from`, and goes on where the other fiber stopped. */
void fiber_switch(void **from, void *to);
