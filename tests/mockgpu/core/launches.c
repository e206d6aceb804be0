/* Loads compiled kernels, checks the arguments of launches, and launches. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include "device.h"

enum { MOST_THREADS = 1024, MOST_BLOCKS_DEEP = 64, MOST_GRID_YZ = 65535, MOST_SHARED = 232448 };
static const char IMAGE[] = "mockgpu:"; /* a compiled module is this, and the path of its shared library */

intptr_t api_moduleLoadData(PyObject *image, SKIP) {
    char *text;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(image, &text, &size)) return 0;
    if (strncmp(text, IMAGE, strlen(IMAGE))) {
        fail("module: expected code that the pretend device compiled, found code compiled for a GPU. "
             "Load kernels from CUDA C source: cupy.RawModule(code=...).");
        return 0;
    }
    void *library = dlopen(text + strlen(IMAGE), RTLD_NOW | RTLD_LOCAL);
    if (!library) fail("module: %s", dlerror());
    return (intptr_t)library;
}

PyObject *api_moduleUnload(intptr_t module, SKIP) { Py_RETURN_NONE; }

intptr_t api_moduleGetFunction(intptr_t module, PyObject *name, SKIP) {
    char symbol[300];
    snprintf(symbol, sizeof symbol, "mock_kernel_%s", PyUnicode_AsUTF8(name));
    void *kernel = dlsym((void *)module, symbol);
    if (!kernel)
        fail("module: there is no kernel named '%U'. A kernel is found by its name if it's declared "
             "extern \"C\" __global__; a template by name_expressions.", name);
    return (intptr_t)kernel;
}

int api_funcGetAttribute(int attribute, intptr_t function, SKIP) {
    enum { MAX_THREADS_PER_BLOCK = 0, STATIC_SHARED = 1, PTX_VERSION = 5, BINARY_VERSION = 6, MAX_DYNAMIC_SHARED = 8 };
    const struct Kernel *kernel = (struct Kernel *)function;
    if (attribute == MAX_THREADS_PER_BLOCK) return MOST_THREADS;
    if (attribute == STATIC_SHARED) return (int)(kernel->static_shared_end - kernel->static_shared_begin);
    if (attribute == PTX_VERSION || attribute == BINARY_VERSION) return 90;
    if (attribute == MAX_DYNAMIC_SHARED) return (int)kernel->dynamic_shared_limit;
    return 0;
}

PyObject *api_funcSetAttribute(intptr_t function, int attribute, int value, SKIP) {
    enum { MAX_DYNAMIC_SHARED = 8 };
    struct Kernel *kernel = (struct Kernel *)function;
    if (attribute == MAX_DYNAMIC_SHARED) {
        if (value > MOST_SHARED)
            return none_or_error(fail("kernel '%s': %d bytes of dynamic shared memory are more than the %d of a block.",
                                      kernel->name, value, MOST_SHARED));
        kernel->dynamic_shared_limit = (size_t)value;
    }
    Py_RETURN_NONE;
}

/* ---- launching ---- */

static int check_sizes(const struct Launch *l) {
    const char *name = l->kernel->name;
    const unsigned *g = l->grid, *b = l->block;
    if ((uint64_t)b[0] * b[1] * b[2] > MOST_THREADS || b[2] > MOST_BLOCKS_DEEP)
        return fail("kernel '%s': a block of (%u, %u, %u) threads; a block has at most %d, and 64 in z.", name, b[0],
                    b[1], b[2], MOST_THREADS);
    if (g[1] > MOST_GRID_YZ || g[2] > MOST_GRID_YZ)
        return fail("kernel '%s': a grid of (%u, %u, %u) blocks; y and z go up to %d.", name, g[0], g[1], g[2],
                    MOST_GRID_YZ);
    if (l->dynamic_shared > l->kernel->dynamic_shared_limit)
        return fail("kernel '%s': %zu bytes of dynamic shared memory, and its limit is %zu. "
                    "Raise the limit: kernel.max_dynamic_shared_size_bytes = %zu.", name, l->dynamic_shared,
                    l->kernel->dynamic_shared_limit, l->dynamic_shared);
    return 0;
}

/* The name of a parameter out of "x, y, n". */
static void parameter_name(const struct Kernel *kernel, int wanted, char *name, size_t size) {
    const char *from = kernel->parameter_names;
    for (int i = 0; from && i < wanted; i++) {
        from = strchr(from, ',');
        if (from) from++;
    }
    int length = from ? (int)strcspn(from, ",") : 0;
    if (length) snprintf(name, size, "argument %d '%.*s'", wanted + 1, length, from);
    else snprintf(name, size, "argument %d", wanted + 1);
}

static int check_pointers(const struct Launch *launch) {
    const struct Kernel *kernel = launch->kernel;
    for (int i = 0; i < kernel->parameter_count; i++) {
        if (!kernel->parameters[i].is_pointer) continue;
        void *pointer = *(void **)launch->arguments[i];
        if (!pointer || allocation_with(pointer)) continue; /* an empty array has a null pointer */
        char name[120], place[300];
        parameter_name(kernel, i, name, sizeof name);
        describe_address(pointer, place, sizeof place);
        return fail("kernel '%s', %s: expected a pointer to the device's memory, found %p, %s. "
                    "Pass a CuPy array: cupy.asarray(...).", kernel->name, name, pointer, place);
    }
    return 0;
}

static int check_borders_of_arguments(const struct Launch *launch) {
    char culprit[300];
    snprintf(culprit, sizeof culprit, "kernel '%s'", launch->kernel->name);
    for (int i = 0; i < launch->kernel->parameter_count; i++) {
        if (!launch->kernel->parameters[i].is_pointer) continue;
        const struct Allocation *allocation = allocation_with(*(void **)launch->arguments[i]);
        if (allocation && check_borders(allocation, culprit)) return -1;
    }
    return 0;
}

static int do_launch(void *data) {
    const struct Launch *launch = data;
    return run_protected(launch) || check_borders_of_arguments(launch) ? -1 : 0;
}

static void discard_launch(void *data) {
    struct Launch *launch = data;
    for (int i = 0; i < launch->kernel->parameter_count; i++) free(launch->arguments[i]);
    free(launch->arguments);
    free(launch);
}

/* A launch copies its arguments: the program may change them before the kernel runs. */
static void **copy_arguments(const struct Kernel *kernel, void **from) {
    void **copies = malloc(((size_t)kernel->parameter_count + 1) * sizeof *copies);
    for (int i = 0; i < kernel->parameter_count; i++) {
        size_t size = kernel->parameters[i].size;
        copies[i] = aligned_alloc(64, (size + 63) / 64 * 64);
        memcpy(copies[i], from[i], size);
    }
    return copies;
}

PyObject *api_launchKernel(intptr_t function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                           unsigned block_y, unsigned block_z, unsigned shared, intptr_t stream, intptr_t arguments,
                           intptr_t extra, SKIP) {
    if (raise_kept_error() || raise_if_broken("driver")) return NULL;
    COUNT(launches);
    struct Kernel *kernel = (struct Kernel *)function;
    struct Launch *launch = malloc(sizeof *launch);
    *launch = (struct Launch){
        .kernel = kernel,
        .grid = {grid_x, grid_y, grid_z},
        .block = {block_x, block_y, block_z},
        .dynamic_shared = shared,
        .arguments = copy_arguments(kernel, (void **)arguments),
    };
    if (check_sizes(launch) || check_pointers(launch)) {
        discard_launch(launch);
        return NULL;
    }
    return none_or_error(submit(do_launch, launch, discard_launch));
}
