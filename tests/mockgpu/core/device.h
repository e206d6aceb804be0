/* Declarations that the parts of the pretend device share; each .c file is one part. */
#pragma once
#include <Python.h>
#include <stdint.h>
#include "kernel.h"

/* The last argument of all Cython functions of CuPy; it has no effect here. */
#define SKIP int skip_dispatch

/* counters.c */
#define COUNTERS(X) \
    X(launches) X(cublas_calls) X(host_to_device) X(host_to_device_bytes) X(device_to_host) X(device_to_host_bytes) \
    X(device_to_device) X(device_to_device_bytes) X(memsets) X(device_synchronisations) X(stream_synchronisations) \
    X(event_synchronisations) X(blocking_copies) X(driver_allocations) X(driver_frees) X(pinned_allocations)
#define COUNTER_INDEX(name) COUNT_##name,
enum { COUNTERS(COUNTER_INDEX) COUNTER_COUNT };
extern int64_t mock_counts[COUNTER_COUNT];
#define COUNT(name) (mock_counts[COUNT_##name]++)
#define COUNT_MANY(name, many) (mock_counts[COUNT_##name] += (int64_t)(many))

/* knobs.c */
enum { FORWARD, REVERSED, SHUFFLED };
extern int mock_order, mock_guard, mock_lazy, mock_memory, mock_broken;

/* errors.c */
int fail(const char *format, ...); /* sets a Python exception; always -1 */
int fail_as_cuda(const char *interface, int number);
int raise_if_broken(const char *interface);
void keep_error_for_later(void);
int raise_kept_error(void); /* -1 if there was one */
PyObject *none_or_error(int status);

/* memory.c */
struct Allocation {
    char *start;
    size_t size;
    char *mapping; /* NULL without guard pages */
    size_t mapping_size;
    int on_host;
};
intptr_t allocate(size_t size, int on_host);
void release(intptr_t pointer);
struct Allocation *allocation_with(const void *pointer);
int is_device_memory(intptr_t pointer, size_t size);
int check_borders(const struct Allocation *allocation, const char *culprit);
void describe_address(const void *address, char *text, size_t size);

/* queue.c */
typedef int (*Work)(void *data); /* 0, or -1 with a Python exception set */
int submit(Work work, void *data, void (*discard)(void *data));
int finish_queue(void);
int queue_is_empty(void);

/* execution.c */
struct Launch {
    struct Kernel *kernel;
    unsigned grid[3], block[3];
    size_t dynamic_shared;
    void **arguments;
};
void run_grid(const struct Launch *launch);
void abandon_fibers(void); /* after a kernel that was stopped half-way */
void describe_running_thread(char *text, size_t size);

/* faults.c */
int run_protected(const struct Launch *launch); /* -1 with a Python exception if the kernel was stopped */
void stop_kernel(const char *format, ...) __attribute__((noreturn));
