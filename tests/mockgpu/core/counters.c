/* Counters of the device's work. */
#include "device.h"

#define COUNTER_NAME(name) #name,
const char *mock_counter_names[] = {COUNTERS(COUNTER_NAME) NULL};
int64_t mock_counts[COUNTER_COUNT];
