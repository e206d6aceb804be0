// Shuffles and votes among the lanes of a warp.
#pragma once

extern "C" {
void mock_warp_exchange(unsigned mask, uint64_t value, uint64_t *values);
int mock_lane();
int mock_warp_size();
void mock_check_source(unsigned mask, int from);
}

// Every lane publishes its value and takes that of the lane that `source` names, or keeps its own if that lane is
// outside of its `width` lanes.
template <class T, class Source>
static inline T mock_shuffle(unsigned mask, T value, int width, Source source) {
    static_assert(sizeof(T) <= sizeof(uint64_t), "a shuffle moves at most 8 bytes");
    int lane = mock_lane(), first = lane / width * width;
    uint64_t shown = 0, values[warpSize];
    memcpy(&shown, &value, sizeof value);
    mock_warp_exchange(mask, shown, values);
    int from = source(lane - first);
    if (from < 0 || from >= width) return value;
    mock_check_source(mask, first + from);
    T taken;
    memcpy(&taken, &values[first + from], sizeof taken);
    return taken;
}

template <class T>
static inline T __shfl_sync(unsigned mask, T value, int from, int width = warpSize) {
    return mock_shuffle(mask, value, width, [=](int) { return from & (width - 1); });
}

template <class T>
static inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = warpSize) {
    return mock_shuffle(mask, value, width, [=](int lane) { return lane - (int)by; });
}

template <class T>
static inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = warpSize) {
    return mock_shuffle(mask, value, width, [=](int lane) { return lane + (int)by; });
}

template <class T>
static inline T __shfl_xor_sync(unsigned mask, T value, int by, int width = warpSize) {
    return mock_shuffle(mask, value, width, [=](int lane) { return lane ^ by; });
}

static inline unsigned __ballot_sync(unsigned mask, int predicate) {
    uint64_t values[warpSize];
    mock_warp_exchange(mask, predicate != 0, values);
    unsigned votes = 0;
    for (int lane = 0; lane < mock_warp_size(); lane++)
        if (values[lane]) votes |= 1u << lane;
    return votes & mask;
}

static inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
static inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }
