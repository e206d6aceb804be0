/* Work in the order of the calls: done at once or, if lazy, at the next synchronisation.

   There is one queue for all streams, so that streams never overtake each other. */
#include <stdlib.h>
#include "device.h"

struct Item {
    Work work;
    void *data;
    void (*discard)(void *data);
    struct Item *next;
};
static struct Item *first, *last;

int queue_is_empty(void) { return first == NULL; }

static int perform(Work work, void *data, void (*discard)(void *data)) {
    int status = work(data);
    discard(data);
    return status;
}

int submit(Work work, void *data, void (*discard)(void *data)) {
    if (!mock_lazy && queue_is_empty()) return perform(work, data, discard);
    struct Item *item = malloc(sizeof *item);
    *item = (struct Item){work, data, discard, NULL};
    if (last) last->next = item;
    else first = item;
    last = item;
    return 0;
}

/* After an error the rest of the queue is dropped: the results of later work would have no meaning. */
int finish_queue(void) {
    int status = raise_kept_error();
    while (first) {
        struct Item *item = first;
        first = item->next;
        if (!first) last = NULL;
        if (status == 0) status = perform(item->work, item->data, item->discard);
        else item->discard(item->data);
        free(item);
    }
    return status;
}

int mock_finish_queue(void) { return finish_queue(); }

static int call_python(void *callable) {
    PyObject *result = PyObject_CallNoArgs(callable);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static void release_python(void *callable) { Py_DECREF((PyObject *)callable); }

/* For cuBLAS, which is written in Python. */
PyObject *mock_submit_cublas(PyObject *callable) {
    COUNT(cublas_calls);
    COUNT(launches);
    Py_INCREF(callable);
    return none_or_error(submit(call_python, callable, release_python));
}
