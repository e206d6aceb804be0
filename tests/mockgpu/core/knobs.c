/* How the device behaves; the tests turn these. */
#include "device.h"

int mock_order = FORWARD; /* in which order the blocks, and the threads of each, run */
int mock_guard = 0;       /* 1: a page that faults borders each allocation, and new memory holds NaNs */
int mock_lazy = 0;        /* 1: nothing runs before the program synchronises */
int mock_memory = 0;      /* so many bytes, if not 0: for a larger allocation the device has no memory */
int mock_broken = 0;      /* CUDA's number of an error, if not 0: the device answers everything with it */
