/* The device's behaviour; tests set these. */
#include "device.h"

int mock_order = FORWARD; /* in which order the blocks, and the threads of each, run */
int mock_guard = 0;       /* 1: a page that faults borders each allocation, and new memory holds NaNs */
int mock_lazy = 0;        /* 1: nothing runs before the program synchronises */
int mock_memory = 0;      /* if not 0: the largest allocation that succeeds, in bytes */
int mock_broken = 0;      /* if not 0: the number of the CUDA error that all calls raise */
