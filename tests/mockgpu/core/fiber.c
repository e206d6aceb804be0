#include "fiber.h"
#include <stdlib.h>
#include <sys/mman.h>

enum {
    MOST_FIBERS = 1024, /* threads of the largest block */
    CACHE_LINE = 64,
    /* Not a power of two: otherwise the tops of all stacks would compete for the same cache sets. */
    STACK_SIZE = 32 * 1024 + 9 * CACHE_LINE,
};

/* In the System V calling convention, a callee must preserve these six registers and the stack pointer. */
__asm__(
    ".text\n"
    ".globl fiber_switch\n"
    ".hidden fiber_switch\n"
    ".type fiber_switch,@function\n"
    "fiber_switch:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  popq %rcx\n  jmpq *%rcx\n" /* not ret: the processor would predict a return to the last caller */
    ".size fiber_switch, .-fiber_switch\n");

static char *stacks(void) {
    static char *memory;
    if (!memory) {
        size_t size = (size_t)MOST_FIBERS * STACK_SIZE;
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        madvise(memory, size, MADV_HUGEPAGE); /* small pages would need too many TLB entries */
    }
    return memory;
}

void fiber_prepare(struct Fiber *fiber, int number, void (*entry)(void)) {
    enum { SAVED_REGISTERS = 6 };
    void **top = (void **)(stacks() + (size_t)(number + 1) * STACK_SIZE);
    *--top = NULL; /* instead of entry's return address: keeps the stack aligned, and ends backtraces */
    *--top = (void *)entry;
    for (int i = 0; i < SAVED_REGISTERS; i++) *--top = NULL;
    fiber->stack_pointer = top;
}
