/* Errors of the device become Python exceptions. */
#include <stdarg.h>
#include "device.h"

static PyObject *error_class, *cuda_error;
static PyObject *kept_type, *kept_value, *kept_traceback;

void mock_set_error_class(PyObject *class) {
    Py_INCREF(class);
    error_class = class;
}

/* `function` makes CuPy's exception for an interface, "runtime" or "driver", and CUDA's number. */
void mock_set_cuda_error(PyObject *function) {
    Py_INCREF(function);
    cuda_error = function;
}

int fail_as_cuda(const char *interface, int number) {
    PyObject *error = PyObject_CallFunction(cuda_error, "si", interface, number);
    if (error) PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    return -1;
}

/* After an error of a kernel, all calls of CUDA fail with it. */
int raise_if_broken(const char *interface) { return mock_broken ? fail_as_cuda(interface, mock_broken) : 0; }

int fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    PyErr_FormatV(error_class, format, arguments);
    va_end(arguments);
    return -1;
}

/* For work that ends where nothing can be raised, such as a destructor: the next call of the device raises it. */
void keep_error_for_later(void) {
    if (!kept_type) PyErr_Fetch(&kept_type, &kept_value, &kept_traceback);
    PyErr_Clear();
}

int raise_kept_error(void) {
    if (!kept_type) return 0;
    PyErr_Restore(kept_type, kept_value, kept_traceback);
    kept_type = kept_value = kept_traceback = NULL;
    return -1;
}

PyObject *none_or_error(int status) {
    if (status != 0) return NULL;
    Py_RETURN_NONE;
}
