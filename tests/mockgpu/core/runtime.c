/* The rest of CUDA's interface that CuPy uses: the device itself, its memory, streams and events. */
#include "device.h"

enum { CUDA_VERSION = 12090, MAJOR = 9, MINOR = 0, NOT_READY = 600, CONTEXT = 0x1000 };

/* ---- the device ---- */

int api_getDevice(SKIP) { return 0; }
int api_getDeviceCount(SKIP) { return 1; }
int api_driverGetVersion(SKIP) { return CUDA_VERSION; }
int api_runtimeGetVersion(SKIP) { return CUDA_VERSION; }
int api_deviceCanAccessPeer(int device, int peer, SKIP) { return 0; }
intptr_t api_ctxGetCurrent(SKIP) { return CONTEXT; }
PyObject *api_ctxSetCurrent(intptr_t context, SKIP) { Py_RETURN_NONE; }
intptr_t api_streamGetCtx(intptr_t stream, SKIP) { return CONTEXT; }
PyObject *api__ensure_context(void) { Py_RETURN_NONE; }

PyObject *api_setDevice(int device, SKIP) {
    return none_or_error(device ? fail("device %d: expected 0, the only pretend device.", device) : 0);
}

static PyObject *properties;

void mock_set_device_properties(PyObject *dictionary) {
    Py_INCREF(dictionary);
    properties = dictionary;
}

PyObject *api_getDeviceProperties(int device, SKIP) { return PyDict_Copy(properties); }

/* The numbers are cudaDeviceAttr's; the values those of an H100. */
int api_deviceGetAttribute(int attribute, int device, SKIP) {
    switch (attribute) {
        case 1: return 1024;       /* threads in a block */
        case 2: return 1024;       /* ... in x */
        case 3: return 1024;       /* ... in y */
        case 4: return 64;         /* ... in z */
        case 5: return 2147483647; /* blocks in a grid in x */
        case 6: return 65535;      /* ... in y */
        case 7: return 65535;      /* ... in z */
        case 8: return 49152;      /* shared memory of a block */
        case 10: return 32;        /* threads in a warp */
        case 12: return 65536;     /* registers of a block */
        case 16: return 132;       /* multiprocessors */
        case 39: return 2048;      /* threads of a multiprocessor */
        case 41: return 1;         /* one address space for host and device */
        case 75: return MAJOR;
        case 76: return MINOR;
        case 97: return 232448; /* shared memory of a block that asks for more */
        default: return 0;
    }
}

PyObject *api_occupancyMaxPotentialBlockSize(intptr_t function, size_t shared, int limit, SKIP) {
    return Py_BuildValue("(ii)", 264, 512);
}

int api_occupancyMaxActiveBlocksPerMultiprocessor(intptr_t function, int block, size_t shared, SKIP) { return 2; }

/* ---- memory ---- */

static intptr_t allocate_on_device(size_t size) {
    enum { MEMORY_ALLOCATION = 2 };
    if (!mock_memory || size <= (size_t)mock_memory) return allocate(size, 0);
    fail_as_cuda("runtime", MEMORY_ALLOCATION);
    return 0;
}

intptr_t api_malloc(size_t size, SKIP) { return allocate_on_device(size); }
intptr_t api_mallocAsync(size_t size, intptr_t stream, SKIP) { return allocate_on_device(size); }
intptr_t api_hostAlloc(size_t size, unsigned flags, SKIP) { return allocate(size, 1); }

PyObject *api_memGetInfo(SKIP) {
    return Py_BuildValue("(nn)", (Py_ssize_t)70 << 30, (Py_ssize_t)80 << 30); /* free, in all */
}

/* CuPy frees in destructors, perhaps while another exception is being raised: nothing may be raised here. */
static PyObject *finish_and_free(intptr_t pointer) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (finish_queue()) keep_error_for_later();
    PyErr_Restore(type, value, traceback);
    release(pointer);
    Py_RETURN_NONE;
}

PyObject *api_free(intptr_t pointer, SKIP) { return finish_and_free(pointer); }
PyObject *api_freeAsync(intptr_t pointer, intptr_t stream, SKIP) { return finish_and_free(pointer); }
PyObject *api_freeHost(intptr_t pointer, SKIP) { return finish_and_free(pointer); }

int api_pointerGetMemoryType(intptr_t pointer, SKIP) {
    enum { UNREGISTERED, HOST, DEVICE };
    const struct Allocation *allocation = allocation_with((void *)pointer);
    return !allocation ? UNREGISTERED : allocation->on_host ? HOST : DEVICE;
}

/* ---- streams and events: handles without a state, because all work is done in one queue ---- */

static intptr_t new_handle(void) {
    static intptr_t last = 4096;
    return last += 16;
}

intptr_t api_streamCreate(SKIP) { return new_handle(); }
intptr_t api_streamCreateWithFlags(unsigned flags, SKIP) { return new_handle(); }
intptr_t api_streamCreateWithPriority(unsigned flags, int priority, SKIP) { return new_handle(); }
PyObject *api_streamDestroy(intptr_t stream, SKIP) { Py_RETURN_NONE; }
PyObject *api_streamWaitEvent(intptr_t stream, intptr_t event, SKIP, void *flags) { Py_RETURN_NONE; }
PyObject *api_streamQuery(intptr_t stream, SKIP) { return PyLong_FromLong(queue_is_empty() ? 0 : NOT_READY); }
int api_streamIsCapturing(intptr_t stream, SKIP) { return 0; }
intptr_t api_eventCreate(SKIP) { return new_handle(); }
intptr_t api_eventCreateWithFlags(unsigned flags, SKIP) { return new_handle(); }
PyObject *api_eventDestroy(intptr_t event, SKIP) { Py_RETURN_NONE; }
PyObject *api_eventRecord(intptr_t event, intptr_t stream, SKIP) { Py_RETURN_NONE; }
PyObject *api_eventQuery(intptr_t event, SKIP) { return PyLong_FromLong(queue_is_empty() ? 0 : NOT_READY); }

static PyObject *synchronise(void) { return none_or_error(raise_if_broken("runtime") || finish_queue() ? -1 : 0); }

PyObject *api_deviceSynchronize(SKIP) {
    COUNT(device_synchronisations);
    return synchronise();
}

PyObject *api_streamSynchronize(intptr_t stream, SKIP) {
    COUNT(stream_synchronisations);
    return synchronise();
}

PyObject *api_eventSynchronize(intptr_t event, SKIP) {
    COUNT(event_synchronisations);
    return synchronise();
}
