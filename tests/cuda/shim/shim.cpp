// SPDX-License-Identifier: MIT
// The threads of a block as fibres; shared memory; what lanes do together; asynchronous copies.
#include "cuda_runtime.h"
#include "shim.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

ani_shim_place ani_shim_at;

namespace {

constexpr int WARP = 32, MOST_THREADS = 1024;
constexpr size_t STACK = 256 * 1024, MOST_SHARED = 227 * 1024;
constexpr int UNDEFINED = 0xff;

[[noreturn]] __attribute__((format(printf, 1, 2))) void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "shim: block (%u,%u,%u) thread (%u,%u,%u): ", ani_shim_at.block.x,
            ani_shim_at.block.y, ani_shim_at.block.z, ani_shim_at.thread.x, ani_shim_at.thread.y,
            ani_shim_at.thread.z);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

// --- stacks
// ----------------------------------------------------------------------------------------

// A place to continue: a stack pointer where this file can switch stacks itself, which takes a few
// nanoseconds; elsewhere a ucontext, whose switch is a system call.
#if defined(__x86_64__)
struct context {
    void *sp = nullptr;
};
extern "C" void ani_shim_switch(void **from, void *to);
asm(".text\n"
    ".type ani_shim_switch,@function\n"
    "ani_shim_switch:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size ani_shim_switch,.-ani_shim_switch\n");
void make_context(context &at, char *stack, void (*entry)()) {
    void **top = reinterpret_cast<void **>(stack + STACK);
    *--top = nullptr; // what entry() would return to; keeps the stack aligned as after a call
    *--top = reinterpret_cast<void *>(entry);
    for (int i = 0; i < 6; i++)
        *--top = nullptr;
    at.sp = top;
}
void switch_context(context &from, context &to) {
    ani_shim_switch(&from.sp, to.sp);
}
#else
struct context {
    ucontext_t at;
};
void make_context(context &at, char *stack, void (*entry)()) {
    getcontext(&at.at);
    at.at.uc_stack.ss_sp = stack;
    at.at.uc_stack.ss_size = STACK;
    at.at.uc_link = nullptr;
    makecontext(&at.at, entry, 0);
}
void switch_context(context &from, context &to) {
    swapcontext(&from.at, &to.at);
}
#endif

// --- threads
// ---------------------------------------------------------------------------------------

enum state { READY, AT_SYNC, AT_MEETING, ENDED };

struct copy {
    void *to;
    const void *from;
    int size, group;
};

// What a lane brings to a meeting of its warp.
struct meeting {
    enum kind { NONE, SYNC, SHUFFLE, SHUFFLE_DOUBLE, MMA, LOAD } kind = NONE;
    const char *file = "";
    int line = 0;                 // SYNC
    double value = 0, result = 0; // SHUFFLE
    int lane = 0;                 // SHUFFLE
    float *d = nullptr;           // MMA
    const uint32_t *a = nullptr, *b = nullptr;
    uint32_t *to = nullptr;    // LOAD
    int count = 0;             // LOAD
    bool transposed = false;   // LOAD
    const void *row = nullptr; // LOAD
};

struct thread {
    state now = ENDED;
    uint3 index = {0, 0, 0};
    const char *file = ""; // AT_SYNC
    int line = 0;
    meeting brought;
    std::vector<copy> copies; // started, not yet landed
    int group = 0;
    context here;
    char *stack = nullptr;
#ifdef WITH_ASAN
    void *fake_stack = nullptr;
#endif
};

struct shared_array {
    const void *place;
    size_t size;
    std::unique_ptr<unsigned char[], void (*)(void *)> memory;
};

thread threads[MOST_THREADS];
int thread_count, running; // of the block; the one that runs
context scheduler;
#ifdef WITH_ASAN
void *scheduler_fake_stack;
const void *scheduler_stack;
size_t scheduler_size;
#endif
const std::function<void()> *body;
unsigned char *dynamic_shared;
std::vector<shared_array> arrays;
std::mutex one_launch;

uint64_t random_state;
unsigned random_below(unsigned n) { // splitmix64
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<unsigned>((z ^ (z >> 31)) % n);
}

void to_scheduler() {
    thread &self = threads[running];
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(&self.fake_stack, scheduler_stack, scheduler_size);
#endif
    switch_context(self.here, scheduler);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(self.fake_stack, &scheduler_stack, &scheduler_size);
#endif
}

void fibre() {
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);
#endif
    for (;;) {
        (*body)();
        if (!threads[running].copies.empty())
            fail("the thread ends before it has waited for its asynchronous copies");
        threads[running].now = ENDED;
        to_scheduler();
    }
}

void run(int number) {
    thread &next = threads[number];
    running = number;
    ani_shim_at.thread = next.index;
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(&scheduler_fake_stack, next.stack, STACK);
#endif
    switch_context(scheduler, next.here);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(scheduler_fake_stack, nullptr, nullptr);
#endif
}

// A stack between two pages that nobody may touch, kept for later launches.
void make_thread(thread &made) {
    if (made.stack) return;
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void *memory = mmap(nullptr, STACK + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("no memory for the stack of a thread");
    made.stack = static_cast<char *>(memory) + page;
    if (mprotect(made.stack, STACK, PROT_READ | PROT_WRITE)) fail("mprotect of a stack failed");
    make_context(made.here, made.stack, fibre);
}

// --- orders
// ----------------------------------------------------------------------------------------

struct order {
    enum kind { FORWARD, REVERSE, SHUFFLED } kind;
    uint64_t seed;
};

order order_of_launch() {
    const char *text = getenv("AN_SHIM_ORDER");
    if (!text || !*text || !strcmp(text, "forward")) return {order::FORWARD, 0};
    if (!strcmp(text, "reverse")) return {order::REVERSE, 0};
    char *end = nullptr;
    const uint64_t seed = strtoull(text, &end, 10);
    if (*end) fail("AN_SHIM_ORDER is \"%s\"; expected forward, reverse or a number", text);
    return {order::SHUFFLED, seed};
}

// The numbers from 0 to count - 1 in that order.
void list_in_order(const order &by, int *numbers, int count) {
    for (int i = 0; i < count; i++)
        numbers[i] = by.kind == order::REVERSE ? count - 1 - i : i;
    for (int i = count - 1; by.kind == order::SHUFFLED && i > 0; i--) {
        const int other = static_cast<int>(random_below(static_cast<unsigned>(i) + 1));
        const int kept = numbers[i];
        numbers[i] = numbers[other];
        numbers[other] = kept;
    }
}

// Run each lane of a warp that can; return whether there was one.
bool run_lanes(int warp, const order &by) {
    int lanes[WARP];
    bool ran = false;
    list_in_order(by, lanes, WARP);
    for (int i = 0; i < WARP; i++) {
        const int number = warp * WARP + lanes[i];
        if (number >= thread_count || threads[number].now != READY) continue;
        run(number);
        ran = true;
    }
    return ran;
}

// Run all warps until each thread waits for the block or has ended.
void run_warps(const order &by) {
    int warps[MOST_THREADS / WARP];
    int count = (thread_count + WARP - 1) / WARP;
    list_in_order(by, warps, count);
    if (by.kind != order::SHUFFLED) {
        for (int i = 0; i < count; i++)
            while (run_lanes(warps[i], by))
                continue;
        return;
    }
    while (count) {
        const unsigned i = random_below(static_cast<unsigned>(count));
        if (!run_lanes(warps[i], by)) warps[i] = warps[--count];
    }
}

// All threads that have not ended must wait for the block, at one place; let them go on. Returns
// whether there are any.
bool release_block() {
    const thread *first = nullptr;
    bool ended = false;
    for (int i = 0; i < thread_count; i++) {
        const thread &t = threads[i];
        ani_shim_at.thread = t.index;
        ended = ended || t.now == ENDED;
        if (t.now == AT_MEETING) fail("waits for lanes of its warp that do not come");
        if (t.now != AT_SYNC) continue;
        if (!first) first = &t;
        if (t.line != first->line || strcmp(t.file, first->file))
            fail("waits at %s:%d while thread (%u,%u,%u) waits at %s:%d", t.file, t.line,
                 first->index.x, first->index.y, first->index.z, first->file, first->line);
    }
    if (!first) return false;
    ani_shim_at.thread = first->index;
    if (ended) fail("waits at %s:%d for threads that have ended", first->file, first->line);
    for (int i = 0; i < thread_count; i++)
        threads[i].now = READY;
    return true;
}

void run_block(size_t shared, const order &by) {
    unsigned char *memory =
        shared ? static_cast<unsigned char *>(aligned_alloc(128, (shared + 127) / 128 * 128))
               : nullptr;
    if (shared && !memory) fail("no memory for %zu bytes of shared memory", shared);
    if (shared) memset(memory, UNDEFINED, shared);
    dynamic_shared = memory;
    for (int i = 0; i < thread_count; i++) {
        threads[i].now = READY;
        threads[i].group = 0;
    }
    do
        run_warps(by);
    while (release_block());
    arrays.clear();
    dynamic_shared = nullptr;
    free(memory);
}

int run_launch(dim3 grid, dim3 block, size_t shared, const std::function<void()> &kernel) {
    const std::lock_guard<std::mutex> lock(one_launch);
    const order by = order_of_launch();
    random_state = by.seed;
    thread_count = static_cast<int>(block.x * block.y * block.z);
    body = &kernel;
    ani_shim_at.block_size = block;
    ani_shim_at.grid_size = grid;
    for (int i = 0; i < thread_count; i++) {
        const unsigned n = static_cast<unsigned>(i);
        threads[i].index = {n % block.x, n / block.x % block.y, n / block.x / block.y};
        make_thread(threads[i]);
    }
    const uint64_t blocks = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
    std::vector<int> numbers(blocks);
    list_in_order(by, numbers.data(), static_cast<int>(blocks));
    for (const int number : numbers) {
        const unsigned n = static_cast<unsigned>(number);
        ani_shim_at.block = {n % grid.x, n / grid.x % grid.y, n / grid.x / grid.y};
        run_block(shared, by);
    }
    return cudaSuccess;
}

} // namespace

int ani_shim_launch(dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                    const std::function<void()> &kernel) {
    if (static_cast<uint64_t>(block.x) * block.y * block.z > MOST_THREADS || block.z > 64 ||
        grid.y > 65535 || grid.z > 65535 || grid.x > 0x7fffffffu || shared > MOST_SHARED)
        return cudaErrorInvalidConfiguration;
    return ani_shim_queue(stream, [=] { return run_launch(grid, block, shared, kernel); });
}

// --- shared memory
// ---------------------------------------------------------------------------------

void *ani_shim_shared() {
    if (!dynamic_shared) fail("the kernel uses shared memory that its launch does not ask for");
    return dynamic_shared;
}

void *ani_shim_shared_array(const void *place, size_t size) {
    for (const shared_array &known : arrays)
        if (known.place == place) return known.memory.get();
    unsigned char *memory = nullptr;
    if (posix_memalign(reinterpret_cast<void **>(&memory), 16, size))
        fail("no memory for an array in shared memory");
    memset(memory, UNDEFINED, size);
    arrays.push_back({place, size, {memory, free}});
    return memory;
}

// --- waiting
// ---------------------------------------------------------------------------------------

void ani_shim_sync(const char *file, int line) {
    thread &self = threads[running];
    self.now = AT_SYNC;
    self.file = file;
    self.line = line;
    to_scheduler();
}

namespace {

float from_half_word(uint32_t both, int which) {
    const uint32_t bits = which ? both & 0xffff0000u : both << 16;
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

// Each product of two bfloat16 is exact in float. The order of the sum, and how often it is
// rounded, is the device's own; here it is rounded once.
void meet_mma(const thread *lanes) {
    float a[16][16], b[16][8];
    for (int lane = 0; lane < WARP; lane++) {
        const meeting &m = lanes[lane].brought;
        const int r = lane / 4, c = lane % 4 * 2;
        for (int k = 0; k < 2; k++) {
            a[r][c + k] = from_half_word(m.a[0], k);
            a[r + 8][c + k] = from_half_word(m.a[1], k);
            a[r][c + 8 + k] = from_half_word(m.a[2], k);
            a[r + 8][c + 8 + k] = from_half_word(m.a[3], k);
            b[c + k][r] = from_half_word(m.b[0], k);
            b[c + 8 + k][r] = from_half_word(m.b[1], k);
        }
    }
    double sums[16][8] = {};
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++)
            for (int j = 0; j < 8; j++)
                sums[i][j] += static_cast<double>(a[i][k]) * b[k][j];
    for (int lane = 0; lane < WARP; lane++) {
        float *d = lanes[lane].brought.d;
        const int r = lane / 4, c = lane % 4 * 2;
        for (int i = 0; i < 4; i++)
            d[i] = static_cast<float>(d[i] + sums[r + i / 2 * 8][c + i % 2]);
    }
}

void meet_load(const thread *lanes) {
    const int count = lanes[0].brought.count;
    for (int i = 0; i < 8 * count; i++)
        if (reinterpret_cast<uintptr_t>(lanes[i].brought.row) % 16)
            fail("lane %d gives an address that is not a multiple of 16 to ani_load_matrices()", i);
    for (int matrix = 0; matrix < count; matrix++) {
        uint16_t m[8][8];
        for (int row = 0; row < 8; row++)
            memcpy(m[row], lanes[matrix * 8 + row].brought.row, sizeof m[row]);
        for (int lane = 0; lane < WARP; lane++) {
            const int r = lane / 4, c = lane % 4 * 2;
            const bool t = lanes[0].brought.transposed;
            const uint32_t low = t ? m[c][r] : m[r][c], high = t ? m[c + 1][r] : m[r][c + 1];
            lanes[lane].brought.to[matrix] = low | high << 16;
        }
    }
}

// Wait for all lanes of the warp; the last one does the work of all.
void meet() {
    const int first = running / WARP * WARP;
    thread *lanes = threads + first;
    thread &self = threads[running];
    const meeting &mine = self.brought;
    self.now = AT_MEETING;
    if (first + WARP > thread_count)
        fail("lanes meet, but the warp is incomplete: the block has %d threads", thread_count);
    for (int i = 0; i < WARP; i++)
        if (lanes[i].now != AT_MEETING) {
            to_scheduler();
            return;
        }
    for (int i = 0; i < WARP; i++) {
        const meeting &other = lanes[i].brought;
        if (other.kind != mine.kind || other.line != mine.line || strcmp(other.file, mine.file) ||
            other.count != mine.count || other.transposed != mine.transposed)
            fail("lane %d of its warp is at another instruction", i);
    }
    switch (mine.kind) {
    case meeting::SHUFFLE:
    case meeting::SHUFFLE_DOUBLE:
        for (int i = 0; i < WARP; i++)
            lanes[i].brought.result = lanes[lanes[i].brought.lane].brought.value;
        break;
    case meeting::MMA:
        meet_mma(lanes);
        break;
    case meeting::LOAD:
        meet_load(lanes);
        break;
    default:
        break;
    }
    for (int i = 0; i < WARP; i++)
        lanes[i].now = READY;
}

} // namespace

void ani_shim_sync_warp(const char *file, int line) {
    meeting &mine = threads[running].brought;
    mine = meeting();
    mine.kind = meeting::SYNC;
    mine.file = file;
    mine.line = line;
    meet();
}

int ani_shim_lane() {
    return running % WARP;
}

float ani_shim_shuffle(float value, int lane) {
    meeting &mine = threads[running].brought;
    mine = meeting();
    mine.kind = meeting::SHUFFLE;
    mine.value = static_cast<double>(value);
    mine.lane = lane & (WARP - 1);
    meet();
    return static_cast<float>(mine.result);
}

double ani_shim_shuffle(double value, int lane) {
    meeting &mine = threads[running].brought;
    mine = meeting();
    mine.kind = meeting::SHUFFLE_DOUBLE;
    mine.value = value;
    mine.lane = lane & (WARP - 1);
    meet();
    return mine.result;
}

void ani_shim_mma(float *d, const uint32_t *a, const uint32_t *b) {
    meeting &mine = threads[running].brought;
    mine = meeting();
    mine.kind = meeting::MMA;
    mine.d = d;
    mine.a = a;
    mine.b = b;
    meet();
}

void ani_shim_load_matrices(uint32_t *to, int count, bool transposed, const void *row) {
    meeting &mine = threads[running].brought;
    mine = meeting();
    mine.kind = meeting::LOAD;
    mine.to = to;
    mine.count = count;
    mine.transposed = transposed;
    mine.row = row;
    meet();
}

// --- asynchronous copies
// ---------------------------------------------------------------------------

void ani_shim_copy(void *to, const void *from, int size, bool inside) {
    thread &self = threads[running];
    const uintptr_t mask = static_cast<uintptr_t>(size) - 1;
    if (reinterpret_cast<uintptr_t>(to) & mask || reinterpret_cast<uintptr_t>(from) & mask)
        fail("an asynchronous copy of %d bytes from %p to %p is misaligned", size, from, to);
    memset(to, UNDEFINED, static_cast<size_t>(size));
    self.copies.push_back({to, inside ? from : nullptr, size, self.group});
}

void ani_shim_copy_commit() {
    threads[running].group++;
}

void ani_shim_copy_wait(int pending) {
    thread &self = threads[running];
    size_t kept = 0;
    for (const copy &c : self.copies) {
        if (c.group >= self.group - pending) {
            self.copies[kept++] = c;
        } else if (c.from) {
            memcpy(c.to, c.from, static_cast<size_t>(c.size));
        } else {
            memset(c.to, 0, static_cast<size_t>(c.size));
        }
    }
    self.copies.resize(kept);
}
