/* The device's memory: ordinary memory, with a list of its allocations.

   With guards, an allocation lies between pages that may not be accessed:

       | pages that fault | border | allocation | border (< 16 bytes) | pages that fault |

   All bytes are first set to 0xFF, which is NaN for a float. A border that has changed was written to. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "device.h"

enum {
    PAGE = 4096,
    GUARD = 256 * PAGE, /* 1 MiB of addresses, so that an index that is far off does not reach the next allocation */
    ALIGNMENT = 16,
    POOL_ALIGNMENT = 512,
    POISON = 0xFF,
};

static struct Allocation *allocations;
static size_t allocation_count, allocation_capacity;

static size_t round_up(size_t size, size_t step) { return (size + step - 1) / step * step; }

static void remember(struct Allocation allocation) {
    if (allocation_count == allocation_capacity) {
        allocation_capacity = allocation_capacity ? 2 * allocation_capacity : 256;
        allocations = realloc(allocations, allocation_capacity * sizeof *allocations);
    }
    allocations[allocation_count++] = allocation;
}

static void map_between_guards(struct Allocation *allocation) {
    size_t body = round_up(allocation->size ? allocation->size : 1, PAGE);
    allocation->mapping_size = body + 2 * GUARD;
    allocation->mapping = mmap(NULL, allocation->mapping_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *begin = allocation->mapping + GUARD;
    mprotect(begin, body, PROT_READ | PROT_WRITE);
    memset(begin, POISON, body);
    allocation->start = begin + body - round_up(allocation->size, ALIGNMENT);
}

intptr_t allocate(size_t size, int on_host) {
    struct Allocation allocation = {.size = size, .on_host = on_host};
    if (mock_guard && !on_host) {
        map_between_guards(&allocation);
    } else {
        allocation.start = aligned_alloc(POOL_ALIGNMENT, round_up(size + 1, POOL_ALIGNMENT));
        memset(allocation.start, POISON, size);
    }
    remember(allocation);
    if (on_host) COUNT(pinned_allocations);
    else COUNT(driver_allocations);
    return (intptr_t)allocation.start;
}

void release(intptr_t pointer) {
    for (size_t i = 0; i < allocation_count; i++) {
        struct Allocation *allocation = &allocations[i];
        if ((intptr_t)allocation->start != pointer) continue;
        if (allocation->mapping) munmap(allocation->mapping, allocation->mapping_size);
        else free(allocation->start);
        if (!allocation->on_host) COUNT(driver_frees);
        *allocation = allocations[--allocation_count];
        return;
    }
}

struct Allocation *allocation_with(const void *pointer) {
    for (size_t i = allocation_count; i-- > 0;) {
        struct Allocation *a = &allocations[i];
        if ((char *)pointer >= a->start && (char *)pointer < a->start + (a->size ? a->size : 1)) return a;
    }
    return NULL;
}

int is_device_memory(intptr_t pointer, size_t size) {
    struct Allocation *allocation = allocation_with((void *)pointer);
    return allocation && !allocation->on_host && (char *)pointer + size <= allocation->start + allocation->size;
}

int mock_is_device_memory(intptr_t pointer, size_t size) { return is_device_memory(pointer, size); }

static long first_change(const char *from, const char *to) {
    for (const char *byte = from; byte < to; byte++)
        if (*byte != (char)POISON) return byte - from;
    return -1;
}

int check_borders(const struct Allocation *a, const char *culprit) {
    if (!a->mapping) return 0;
    char *end = a->start + a->size;
    long after = first_change(end, a->mapping + a->mapping_size - GUARD);
    if (after >= 0)
        return fail("%s wrote %ld bytes behind the end of an allocation of %zu bytes at %p. "
                    "Check its index against the array's size.", culprit, after, a->size, a->start);
    char *body = a->mapping + GUARD;
    if (first_change(body, a->start) >= 0)
        return fail("%s wrote before the start of an allocation of %zu bytes at %p. "
                    "Check its index for values below 0.", culprit, a->size, a->start);
    return 0;
}

static size_t distance_to(const struct Allocation *a, const char *address) {
    const char *end = a->start + a->size;
    return address < a->start ? (size_t)(a->start - address) : address >= end ? (size_t)(address - end) : 0;
}

static const struct Allocation *nearest_allocation(const char *address) {
    const struct Allocation *nearest = NULL;
    size_t distance = GUARD; /* allocations farther away are not reported */
    for (size_t i = 0; i < allocation_count; i++) {
        const struct Allocation *a = &allocations[i];
        if (a->mapping && address >= a->mapping && address < a->mapping + a->mapping_size) return a;
        if (distance_to(a, address) >= distance) continue;
        distance = distance_to(a, address);
        nearest = a;
    }
    return nearest;
}

/* "12 bytes behind the end of an allocation of 400 bytes at 0x..." */
void describe_address(const void *address, char *text, size_t size) {
    const struct Allocation *a = nearest_allocation(address);
    if (!a)
        snprintf(text, size, "near no allocation of the device (freed memory, or a host pointer?)");
    else
        snprintf(text, size, "%zu bytes %s of an allocation of %zu bytes at %p", distance_to(a, address),
                 (char *)address < a->start ? "before the start" : "behind the end", a->size, (void *)a->start);
}
