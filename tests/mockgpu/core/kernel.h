/* A compiled kernel's description for the device. The C core and the kernels' C++ header both include this. */
#pragma once
#include <stddef.h>

struct Parameter {
    size_t size;
    int is_pointer;
};

struct Kernel {
    const char *name;
    const char *parameter_names; /* "x, y, n", for messages; may be empty */
    int parameter_count;
    const struct Parameter *parameters;
    void (*run_threads)(void **arguments); /* calls the kernel once for each thread that mock_next_thread offers */
    char *static_shared_begin, *static_shared_end;
    size_t dynamic_shared_limit; /* 48 KiB until the program asks for more, as in CUDA */
};
