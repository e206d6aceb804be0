/* A kernel that accesses wrong memory raises a Python exception instead of ending the process. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <xmmintrin.h>
#include "device.h"

static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x40 };
enum { SIGNAL_COUNT = sizeof SIGNALS / sizeof *SIGNALS, LONGEST_MESSAGE = 1000 };

static sigjmp_buf before_the_kernel;
static char message[LONGEST_MESSAGE];
static struct {
    int signal, was_write;
    void *address;
} fault;

static void on_fault(int signal, siginfo_t *info, void *context) {
    enum { WRITE_BIT = 2 }; /* of the page fault's error code */
    fault.signal = signal;
    fault.address = info->si_addr;
    fault.was_write = (((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & WRITE_BIT) != 0;
    siglongjmp(before_the_kernel, 1);
}

void stop_kernel(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fault.signal = 0;
    siglongjmp(before_the_kernel, 1);
}

void mock_assertion_failed(const char *condition, int line) {
    stop_kernel("the assertion %s in line %d does not hold.", condition, line);
}

/* The handlers are installed only while a kernel runs: other faults have other causes. */
static void watch_signals(struct sigaction saved[]) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    for (int i = 0; i < SIGNAL_COUNT; i++) sigaction(SIGNALS[i], &action, &saved[i]);
}

static void unwatch_signals(const struct sigaction saved[]) {
    for (int i = 0; i < SIGNAL_COUNT; i++) sigaction(SIGNALS[i], &saved[i], NULL);
}

static int report(const char *kernel) {
    char thread[120], place[300];
    describe_running_thread(thread, sizeof thread);
    if (fault.signal == 0) return fail("kernel '%s', %s: %s", kernel, thread, message);
    if (fault.signal == SIGFPE) return fail("kernel '%s', %s: an integer was divided by zero.", kernel, thread);
    if (fault.signal == SIGILL)
        return fail("kernel '%s', %s: an index is outside of a __shared__ or local array.", kernel, thread);
    describe_address(fault.address, place, sizeof place);
    return fail("kernel '%s', %s: illegal %s at %p, %s.", kernel, thread, fault.was_write ? "write" : "read",
                fault.address, place);
}

int run_protected(const struct Launch *launch) {
    struct sigaction saved[SIGNAL_COUNT];
    watch_signals(saved);
    unsigned rounding = _mm_getcsr();
    _mm_setcsr(rounding | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO); /* CuPy compiles with -ftz=true */
    int stopped = sigsetjmp(before_the_kernel, 0);
    if (!stopped) run_grid(launch);
    _mm_setcsr(rounding);
    unwatch_signals(saved);
    if (!stopped) return 0;
    abandon_fibers();
    return report(launch->kernel->name);
}
