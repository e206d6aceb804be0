// Describes a kernel to the device's core: MOCK_KERNEL(symbol, "names of its parameters", kernel).
#pragma once
#include "../core/kernel.h"

// The linker sets these to the ends of the section of __shared__ variables, if there are any.
extern "C" {
extern char __start_mock_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_mock_shared[] __attribute__((weak, visibility("hidden")));
}

template <class Function>
struct MockSignature;

template <class... Types>
struct MockSignature<void (*)(Types...)> {
    static constexpr Parameter parameters[] = {{sizeof(Types), std::is_pointer_v<Types>}..., {0, 0}};
    static constexpr int count = sizeof...(Types);

    template <auto kernel, size_t... Is>
    static void run(void **arguments, std::index_sequence<Is...>) {
        while (mock_next_thread()) kernel(*(std::remove_cv_t<Types> *)arguments[Is]...);
    }
};

template <auto kernel>
static void mock_run_threads(void **arguments) {
    using Signature = MockSignature<decltype(kernel)>;
    Signature::template run<kernel>(arguments, std::make_index_sequence<Signature::count>{});
}

#define MOCK_KERNEL(symbol, names, ... /* the kernel; its template arguments have commas */)     \
    extern "C" __attribute__((visibility("default"))) Kernel mock_kernel_##symbol;              \
    Kernel mock_kernel_##symbol = {#symbol, names, MockSignature<decltype(&__VA_ARGS__)>::count, \
                                   MockSignature<decltype(&__VA_ARGS__)>::parameters,           \
                                   mock_run_threads<&__VA_ARGS__>, __start_mock_shared,         \
                                   __stop_mock_shared, 48 * 1024};
