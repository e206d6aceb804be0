/* Copies between host and device, and memset. */
#include <stdlib.h>
#include <string.h>
#include "device.h"

enum Kind { HOST_TO_HOST, HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE, BY_ADDRESS };

struct Copy {
    void *to;
    const void *from;
    void *staged; /* the content of `from` at the time of the call; NULL if it is read later */
    size_t size;
};

static int do_copy(void *data) {
    struct Copy *copy = data;
    memmove(copy->to, copy->staged ? copy->staged : copy->from, copy->size);
    return 0;
}

static void discard_copy(void *data) {
    free(((struct Copy *)data)->staged);
    free(data);
}

static enum Kind kind_by_address(intptr_t to, intptr_t from) {
    int to_device = is_device_memory(to, 1), from_device = is_device_memory(from, 1);
    return to_device ? (from_device ? DEVICE_TO_DEVICE : HOST_TO_DEVICE) : from_device ? DEVICE_TO_HOST : HOST_TO_HOST;
}

static int check_ends(intptr_t to, intptr_t from, size_t size, enum Kind kind) {
    if ((kind == HOST_TO_DEVICE || kind == DEVICE_TO_DEVICE) && !is_device_memory(to, size))
        return fail("copy of %zu bytes to %p: expected device memory of this size.", size, (void *)to);
    if ((kind == DEVICE_TO_HOST || kind == DEVICE_TO_DEVICE) && !is_device_memory(from, size))
        return fail("copy of %zu bytes from %p: expected device memory of this size.", size, (void *)from);
    return 0;
}

static void count_copy(enum Kind kind, size_t size) {
    if (kind == HOST_TO_DEVICE) COUNT(host_to_device), COUNT_MANY(host_to_device_bytes, size);
    if (kind == DEVICE_TO_HOST) COUNT(device_to_host), COUNT_MANY(device_to_host_bytes, size);
    if (kind == DEVICE_TO_DEVICE) COUNT(device_to_device), COUNT_MANY(device_to_device_bytes, size);
}

static void *duplicate(const void *from, size_t size) {
    void *copy = malloc(size);
    return memcpy(copy, from, size);
}

/* CUDA returns at once only if the host's memory is pinned. From pageable memory it makes a copy first; into pageable
   memory it waits for the end. */
static int copy(intptr_t to, intptr_t from, size_t size, enum Kind kind, int asynchronous) {
    if (size == 0) return 0;
    if (raise_kept_error() || raise_if_broken("runtime")) return -1;
    if (kind == BY_ADDRESS) kind = kind_by_address(to, from);
    if (check_ends(to, from, size, kind)) return -1;
    count_copy(kind, size);
    struct Copy *task = malloc(sizeof *task);
    *task = (struct Copy){(void *)to, (void *)from, NULL, size};
    int from_pageable = kind == HOST_TO_DEVICE && !allocation_with(task->from);
    if (asynchronous && from_pageable) task->staged = duplicate(task->from, size);
    int to_pageable = kind == DEVICE_TO_HOST && !allocation_with(task->to);
    int waits = to_pageable || (!asynchronous && kind != DEVICE_TO_DEVICE);
    int status = submit(do_copy, task, discard_copy);
    if (status || !waits) return status;
    COUNT(blocking_copies);
    return finish_queue();
}

PyObject *api_memcpy(intptr_t to, intptr_t from, size_t size, int kind, SKIP) {
    return none_or_error(copy(to, from, size, (enum Kind)kind, 0));
}

PyObject *api_memcpyAsync(intptr_t to, intptr_t from, size_t size, int kind, intptr_t stream, SKIP) {
    return none_or_error(copy(to, from, size, (enum Kind)kind, 1));
}

struct Fill {
    void *to;
    int value;
    size_t size;
};

static int do_fill(void *data) {
    struct Fill *fill = data;
    memset(fill->to, fill->value, fill->size);
    return 0;
}

PyObject *api_memset(intptr_t to, int value, size_t size, SKIP) {
    if (raise_kept_error() || raise_if_broken("runtime")) return NULL;
    COUNT(memsets);
    if (size && !is_device_memory(to, size)) {
        fail("memset of %zu bytes at %p: expected memory of the device.", size, (void *)to);
        return NULL;
    }
    struct Fill *fill = malloc(sizeof *fill);
    *fill = (struct Fill){(void *)to, value, size};
    return none_or_error(submit(do_fill, fill, free));
}

PyObject *api_memsetAsync(intptr_t to, int value, size_t size, intptr_t stream, SKIP) {
    return api_memset(to, value, size, 0);
}
