/* Fibers: functions with their own stacks that take turns, so that a thread can wait at a barrier in its middle. */
#pragma once

struct Fiber {
    void *stack_pointer;
    int position; /* of the thread that it runs, in the block's order of running */
};

/* Prepares a fiber that calls `entry`, which must never return. `number` tells the fibers' stacks apart. */
void fiber_prepare(struct Fiber *fiber, int number, void (*entry)(void));

/* Stops here, storing the stack pointer in `from`, and goes on where the other fiber stopped. */
void fiber_switch(void **from, void *to);
