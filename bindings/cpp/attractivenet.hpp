/* SPDX-License-Identifier: MIT
 * libattractivenet for C++17, in one header over the C API.
 *
 * Handles:   Model, Loader, Trainer, ... own what the C function of the same name returned and free
 *            it in their destructor. They move and do not copy; get() lends the C handle. They may
 *            be destroyed in any order. A default constructed or moved-from handle is empty: calls
 *            on it fail with AN_ERR_ARG, queries return 0.
 * Errors:    each call that can fail has two forms. model.save(path) throws an Error;
 *            model.try_save(path) throws nothing and returns a Result, which holds the value or the
 *            Error. With -fno-exceptions only the second form exists.
 * Callbacks: anything that can be called with the argument, and returns nothing or a Flow. An
 *            exception that leaves it ends the C call, and then leaves the C++ call that was made
 *            (first form) or is the cause() of its Error (second form).
 * Arrays:    Span, a pointer with a size, made from std::vector, std::array, std::span and arrays
 *            of C. Sizes are checked: a wrong one is AN_ERR_ARG, and nothing has been done.
 * Options:   structs with the fields and defaults of the C options; texts, lists, callbacks and
 *            nested options are std::string, std::vector, Callback and std::optional instead of
 *            pointers.
 *
 * Meaning, ranges, further errors and thread rules are those of the C function that a call names:
 * Model::compute_gradients is an_model_compute_gradients. Constants are those of C (AN_LOSS_MSE).
 */
#ifndef ATTRACTIVENET_HPP
#define ATTRACTIVENET_HPP

#include <attractivenet/attractivenet.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#ifndef ATTRACTIVENET_EXCEPTIONS
#if defined(__cpp_exceptions)
#define ATTRACTIVENET_EXCEPTIONS 1
#else
#define ATTRACTIVENET_EXCEPTIONS 0
#endif
#endif

namespace attractivenet {
/* Sources compiled with and without exceptions may be linked into one program. */
#if ATTRACTIVENET_EXCEPTIONS
inline namespace throwing {
#else
inline namespace nonthrowing {
#endif

/* --- errors ---------------------------------------------------------------------------------- */

/** Why a call failed. It holds its message without memory of its own. */
class Error : public std::exception {
  public:
    explicit Error(const an_error &error) noexcept : error_(error) {}
    Error(an_status status, const char *message) noexcept : error_() {
        error_.status = status;
        std::snprintf(error_.message, sizeof error_.message, "%s", message);
    }
    /** One of AN_ERR_*. */
    an_status status() const noexcept { return error_.status; }
    /** The name of the status, such as "AN_ERR_IO". */
    const char *name() const noexcept { return an_status_name(error_.status); }
    const char *what() const noexcept override { return error_.message; }
    bool is_cancelled() const noexcept { return error_.status == AN_ERR_CANCELLED; }
#if ATTRACTIVENET_EXCEPTIONS
    Error(const an_error &error, std::exception_ptr cause) noexcept
        : error_(error), cause_(std::move(cause)) {}
    /** The exception of the callback that ended the call; empty if there was none. */
    const std::exception_ptr &cause() const noexcept { return cause_; }
    /** Throw the cause, or without one this error. */
    [[noreturn]] void raise() const {
        if (cause_) std::rethrow_exception(cause_);
        throw *this;
    }
#endif

  private:
    an_error error_;
#if ATTRACTIVENET_EXCEPTIONS
    std::exception_ptr cause_;
#endif
};

/** The value of a call, or why it failed. */
template <class T> class [[nodiscard]] Result {
  public:
    Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) noexcept : held_(std::in_place_index<1>, std::move(error)) {}
    bool has_value() const noexcept { return held_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }
    /** AN_OK, or the status of the error. */
    an_status status() const noexcept { return has_value() ? AN_OK : error().status(); }
    /** The value. Only after has_value(). */
    T &operator*() &noexcept { return *std::get_if<0>(&held_); }
    const T &operator*() const &noexcept { return *std::get_if<0>(&held_); }
    T &&operator*() &&noexcept { return std::move(*std::get_if<0>(&held_)); }
    T *operator->() noexcept { return std::get_if<0>(&held_); }
    const T *operator->() const noexcept { return std::get_if<0>(&held_); }
    /** The error. Only if not has_value(). */
    const Error &error() const noexcept { return *std::get_if<1>(&held_); }
    template <class U> T value_or(U &&other) && {
        return has_value() ? std::move(**this) : static_cast<T>(std::forward<U>(other));
    }
#if ATTRACTIVENET_EXCEPTIONS
    /** The value; throws the error if there is none. */
    T &value() & { return has_value() ? **this : (error().raise(), **this); }
    const T &value() const & { return has_value() ? **this : (error().raise(), **this); }
    T value() && {
        if (!has_value()) error().raise();
        return std::move(*std::get_if<0>(&held_));
    }
#endif

  private:
    std::variant<T, Error> held_;
};

/** Success, or why a call failed. */
template <> class [[nodiscard]] Result<void> {
  public:
    Result() noexcept = default;
    Result(Error error) noexcept : error_(std::move(error)) {}
    bool has_value() const noexcept { return !error_; }
    explicit operator bool() const noexcept { return has_value(); }
    an_status status() const noexcept { return error_ ? error_->status() : AN_OK; }
    const Error &error() const noexcept { return *error_; }
#if ATTRACTIVENET_EXCEPTIONS
    void value() const {
        if (error_) error_->raise();
    }
#endif

  private:
    std::optional<Error> error_;
};

/* --- arguments ------------------------------------------------------------------------------- */

/** A pointer with a size; owns nothing. */
template <class T> class Span {
  public:
    constexpr Span() noexcept = default;
    constexpr Span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <
        class C,
        class = std::enable_if_t<
            !std::is_same_v<std::decay_t<C>, Span> &&
            (std::is_lvalue_reference_v<C> || std::is_const_v<T>)&&std::is_convertible_v<
                std::remove_pointer_t<decltype(std::data(std::declval<C &>()))> (*)[], T (*)[]>>>
    constexpr Span(C &&container) noexcept
        : data_(std::data(container)), size_(std::size(container)) {}
    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T &operator[](std::size_t index) const noexcept { return data_[index]; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }
    /** count elements from first on, or what there is of them. */
    constexpr Span part(std::size_t first, std::size_t count) const noexcept {
        if (first > size_) first = size_;
        return Span(data_ + first, count < size_ - first ? count : size_ - first);
    }

  private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

/** The bytes of a std::string, a std::vector<char>, a std::vector<std::byte>, ... */
template <class C> Span<const std::uint8_t> bytes_of(const C &container) noexcept {
    static_assert(sizeof(*std::data(container)) == 1, "the elements must be bytes");
    return {reinterpret_cast<const std::uint8_t *>(std::data(container)), std::size(container)};
}

/** A text argument: a literal, a std::string or a std::filesystem::path. One with a 0 byte inside
 *  is refused as NULL is. */
class Text {
  public:
    Text(const char *text) noexcept : text_(text) {}
    Text(const std::string &text) noexcept
        : text_(text.find('\0') == std::string::npos ? text.c_str() : nullptr) {}
    template <class P, class = std::enable_if_t<std::is_same_v<
                           decltype(std::declval<const P &>().native()), const std::string &>>>
    Text(const P &path) noexcept : Text(path.native()) {}
    const char *c_str() const noexcept { return text_; }

  private:
    const char *text_;
};

/** What a callback may return: whether the call goes on or ends with AN_ERR_CANCELLED. */
enum class Flow { proceed, stop };

/** A callback, or none. Copies share the callable, which may itself be movable only. */
template <class Arg> class Callback {
  public:
    Callback() noexcept = default;
    Callback(std::nullptr_t) noexcept {}
    template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, Callback> &&
                                                std::is_invocable_v<std::decay_t<F> &, Arg>>>
    Callback(F &&fn) {
        using R = std::invoke_result_t<std::decay_t<F> &, Arg>;
        static_assert(std::is_void_v<R> || std::is_same_v<R, Flow>,
                      "a callback returns nothing, or Flow::proceed or Flow::stop");
        auto held = std::make_shared<std::decay_t<F>>(std::forward<F>(fn));
        if constexpr (std::is_void_v<R>) {
            fn_ = [held](Arg arg) {
                (*held)(arg);
                return Flow::proceed;
            };
        } else {
            fn_ = [held](Arg arg) { return (*held)(arg); };
        }
    }
    explicit operator bool() const noexcept { return static_cast<bool>(fn_); }
    Flow operator()(Arg arg) const { return fn_(arg); }

  private:
    std::function<Flow(Arg)> fn_;
};

using Progress = Callback<const an_progress &>;
using Warn = Callback<const an_warning &>;
using LossFn = Callback<const an_loss_batch &>;
using Fill = Callback<const an_fill_batch &>;
using OnEvent = Callback<const an_train_event &>;
using OnText = Callback<const char *>;

namespace detail {

/* A C++ call in progress. Callbacks run on the thread that made it, so the innermost one of the
 * thread is the one that an exception has to reach. */
class Scope {
  public:
    Scope() noexcept : outer_(current()) { current() = this; }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;
    ~Scope() { current() = outer_; }
#if ATTRACTIVENET_EXCEPTIONS
    static void keep(std::exception_ptr cause) noexcept {
        if (current() && !current()->cause_) current()->cause_ = std::move(cause);
    }
    const std::exception_ptr &cause() const noexcept { return cause_; }
#endif

  private:
    static Scope *&current() noexcept {
        static thread_local Scope *scope = nullptr;
        return scope;
    }
    Scope *outer_;
#if ATTRACTIVENET_EXCEPTIONS
    std::exception_ptr cause_;
#endif
};

/* Run a callback for C: 0, or 1 if it asks to stop or throws. */
template <class F> std::int32_t shielded(F &&fn) noexcept {
#if ATTRACTIVENET_EXCEPTIONS
    try {
        return fn() == Flow::stop;
    } catch (...) {
        Scope::keep(std::current_exception());
        return 1;
    }
#else
    return fn() == Flow::stop;
#endif
}

template <class Raw> std::int32_t invoke(void *user, const Raw *arg) noexcept {
    return shielded([&] { return (*static_cast<const Callback<const Raw &> *>(user))(*arg); });
}
inline std::int32_t invoke_text(void *user, const char *text) noexcept {
    return shielded([&] { return (*static_cast<const OnText *>(user))(text); });
}

template <class Raw>
void attach(std::int32_t (*&fn)(void *, const Raw *), void *&user,
            const Callback<const Raw &> &callback) {
    fn = callback ? &invoke<Raw> : nullptr;
    user = const_cast<Callback<const Raw &> *>(&callback);
}
template <class Raw> auto function_of(const Callback<const Raw &> &callback) {
    return callback ? &invoke<Raw> : static_cast<std::int32_t (*)(void *, const Raw *)>(nullptr);
}
template <class Raw> void *user_of(const Callback<const Raw &> &callback) {
    return const_cast<Callback<const Raw &> *>(&callback);
}

/* Make a C call: its status, or the error. */
template <class F> Result<an_status> call_status(F &&fn) {
    Scope scope;
    an_error error;
    const an_status status = fn(&error);
#if ATTRACTIVENET_EXCEPTIONS
    if (scope.cause()) {
        if (status >= 0) error = {AN_ERR_CANCELLED, "a callback threw an exception"};
        return Error(error, scope.cause());
    }
#endif
    if (status < 0) return Error(error);
    return status;
}
template <class F> Result<void> call(F &&fn) {
    auto done = call_status(std::forward<F>(fn));
    if (!done) return done.error();
    return {};
}
/* Make a C call that returns a handle. */
template <class H, class F> Result<H> create(F &&fn) {
    typename H::c_type *out = nullptr;
    auto done = call_status([&](an_error *error) { return fn(&out, error); });
    H made(out);
    if (!done) return done.error();
    return made;
}
/* A call whose own vectors or strings may not find memory. */
template <class F> auto allocating(F &&fn) -> decltype(fn()) {
#if ATTRACTIVENET_EXCEPTIONS
    try {
        return fn();
    } catch (const std::bad_alloc &) {
        return Error(AN_ERR_NOMEM, "out of memory");
    } catch (const std::length_error &) {
        return Error(AN_ERR_NOMEM, "out of memory");
    }
#else
    return fn();
#endif
}

inline Error wrong(const char *what, std::size_t found, std::int64_t expected) noexcept {
    char text[160];
    std::snprintf(text, sizeof text, "%s has %zu elements; it must have %lld", what, found,
                  static_cast<long long>(expected));
    return Error(AN_ERR_ARG, text);
}
/* The product of sizes that are not negative, or -1 if it is out of range. */
template <class... Sizes> std::int64_t product(Sizes... sizes) noexcept {
    std::int64_t all = 1;
    for (const std::int64_t size : {static_cast<std::int64_t>(sizes)...}) {
        if (size < 0 || (size > 0 && all > std::numeric_limits<std::int64_t>::max() / size))
            return -1;
        all *= size;
    }
    return all;
}
/* The elements of a shape, or -1 if there are too many or a length is negative. */
inline std::int64_t elements(Span<const std::int64_t> shape) noexcept {
    std::int64_t count = 1;
    for (const std::int64_t length : shape)
        count = count < 0 ? count : product(count, length);
    return count;
}
/* The rank of a shape; one that is too high stays so. */
inline std::int32_t rank_of(Span<const std::int64_t> shape) noexcept {
    return shape.size() > AN_TENSOR_MAX_RANK ? AN_TENSOR_MAX_RANK + 1
                                             : static_cast<std::int32_t>(shape.size());
}
inline bool is(std::size_t found, std::int64_t expected) noexcept {
    return expected >= 0 && found == static_cast<std::size_t>(expected);
}
inline std::int64_t signed_size(std::size_t size) noexcept {
    return static_cast<std::int64_t>(size);
}
/* How many rows of width elements there are; -1 if they are not whole. */
inline std::int64_t rows(std::size_t found, std::int64_t width) noexcept {
    if (width <= 0) return 0; /* an empty handle: the call refuses it */
    return signed_size(found) % width ? -1 : signed_size(found) / width;
}
inline Error not_rows(const char *what, std::size_t found, std::int64_t width) noexcept {
    char text[160];
    std::snprintf(text, sizeof text, "%s has %zu elements; it must have a multiple of %lld", what,
                  found, static_cast<long long>(width));
    return Error(AN_ERR_ARG, text);
}

/* The C form of options. It points into the C++ options, which must outlive it. */
struct View {
    View() = default;
    View(const View &) = delete;
    View &operator=(const View &) = delete;
    bool broken = false; /* a text has a 0 byte inside */
    const char *text(const std::string &text) {
        if (text.find('\0') != std::string::npos) broken = true;
        return text.c_str();
    }
    const char *text(const std::optional<std::string> &maybe) {
        return maybe ? text(*maybe) : nullptr;
    }
    std::vector<const char *> texts(const std::vector<std::string> &list) {
        std::vector<const char *> out;
        out.reserve(list.size());
        for (const std::string &one : list)
            out.push_back(text(one));
        return out;
    }
};
inline Error zero_byte() noexcept {
    return Error(AN_ERR_ARG, "a text in the options has a 0 byte inside");
}

/* The owner of a C handle, and of the callbacks that it may still call. */
template <class T, void (*destroy)(T *)> class Handle {
  public:
    using c_type = T;
    Handle() noexcept = default;
    explicit Handle(T *handle) noexcept : handle_(handle) {}
    Handle(Handle &&other) noexcept
        : keep_(std::move(other.keep_)), handle_(std::exchange(other.handle_, nullptr)) {}
    Handle &operator=(Handle &&other) noexcept {
        Handle old(std::move(other));
        std::swap(keep_, old.keep_);
        std::swap(handle_, old.handle_);
        return *this;
    }
    Handle(const Handle &) = delete;
    Handle &operator=(const Handle &) = delete;
    ~Handle() { destroy(handle_); }
    /** The C handle; still owned by this object. NULL if it is empty. */
    T *get() const noexcept { return handle_; }
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    /* For the classes of this header. */
    const std::shared_ptr<const void> &kept() const noexcept { return keep_; }
    void keep(std::shared_ptr<const void> what) noexcept { keep_ = std::move(what); }

  private:
    std::shared_ptr<const void> keep_; /* freed after the handle */
    T *handle_ = nullptr;
};

} // namespace detail

/* --- status.h, version.h ---------------------------------------------------------------------- */

inline const char *version() noexcept { return an_version(); }
inline std::int32_t abi() noexcept { return an_abi(); }
inline bool has_feature(const char *name) noexcept { return an_has_feature(name) != 0; }

/** A flag that cancels long calls from another thread or a signal handler. */
class Cancel : public detail::Handle<an_cancel, an_cancel_destroy> {
  public:
    using Handle::Handle;
    static Result<Cancel> try_create() { return detail::create<Cancel>(an_cancel_create); }
    void request() const noexcept { an_cancel_request(get()); }
    void reset() const noexcept { an_cancel_reset(get()); }
    bool is_requested() const noexcept { return an_cancel_is_requested(get()) != 0; }
#if ATTRACTIVENET_EXCEPTIONS
    static Cancel create() { return try_create().value(); }
#endif
};

/* --- backend.h -------------------------------------------------------------------------------- */

struct BackendOptions : an_backend_options {
    BackendOptions() {
        an_backend_options_init(this, sizeof(an_backend_options));
        device = an_backend_options::device;
    }
    std::string device; /* "cpu", "cuda", "cuda:1", "auto", "ref" */
    struct C : detail::View {
        explicit C(const BackendOptions &o) : c(o) { c.device = text(o.device); }
        an_backend_options c;
    };
};

/** The devices of this machine. The strings of a description are borrowed from the list. */
class DeviceList : public detail::Handle<an_device_list, an_device_list_destroy> {
  public:
    using Handle::Handle;
    static Result<DeviceList> try_create() {
        return detail::create<DeviceList>(an_device_list_create);
    }
    std::int64_t count() const noexcept { return an_device_list_count(get()); }
    Result<an_device_info> try_describe(std::int64_t index) const {
        an_device_info info;
        an_device_info_init(&info, sizeof info);
        auto done = detail::call(
            [&](an_error *error) { return an_device_list_describe(get(), index, &info, error); });
        if (!done) return done.error();
        return info;
    }
#if ATTRACTIVENET_EXCEPTIONS
    static DeviceList create() { return try_create().value(); }
    an_device_info describe(std::int64_t index) const { return try_describe(index).value(); }
#endif
};

/** One device with its worker threads. */
class Backend : public detail::Handle<an_backend, an_backend_destroy> {
  public:
    using Handle::Handle;
    static Result<Backend> try_create(const BackendOptions &options = {}) {
        BackendOptions::C view(options);
        if (view.broken) return detail::zero_byte();
        return detail::create<Backend>([&](an_backend **out, an_error *error) {
            return an_backend_create(out, &view.c, error);
        });
    }
    /** The device that it runs on. The strings are borrowed from the backend. */
    Result<an_device_info> try_describe() const {
        an_device_info info;
        an_device_info_init(&info, sizeof info);
        auto done =
            detail::call([&](an_error *error) { return an_backend_describe(get(), &info, error); });
        if (!done) return done.error();
        return info;
    }
    const char *name() const noexcept { return an_backend_name(get()); }
    const char *level() const noexcept { return an_backend_level(get()); }
    std::int32_t threads() const noexcept { return an_backend_threads(get()); }
#if ATTRACTIVENET_EXCEPTIONS
    static Backend create(const BackendOptions &options = {}) {
        return try_create(options).value();
    }
    an_device_info describe() const { return try_describe().value(); }
#endif
};

/* --- comm.h ----------------------------------------------------------------------------------- */

struct CommOptions : an_comm_options {
    CommOptions() { an_comm_options_init(this, sizeof(an_comm_options)); }
};

/** The ranks of a training over several processes. */
class Comm : public detail::Handle<an_comm, an_comm_destroy> {
  public:
    using Handle::Handle;
    /** The ranks that a launcher such as mpirun has started; one where there is none. */
    static Result<Comm> try_join(const CommOptions &options = {}) {
        return detail::create<Comm>(
            [&](an_comm **out, an_error *error) { return an_comm_join(out, &options, error); });
    }
    /** From the address of an MPI_Comm. */
    static Result<Comm> try_create_mpi(const void *mpi_comm, const CommOptions &options = {}) {
        return detail::create<Comm>([&](an_comm **out, an_error *error) {
            return an_comm_create_mpi(out, mpi_comm, &options, error);
        });
    }
    std::int32_t rank() const noexcept { return an_comm_rank(get()); }
    std::int32_t size() const noexcept { return an_comm_size(get()); }
    const char *host(std::int32_t rank) const noexcept { return an_comm_host(get(), rank); }
    const char *name() const noexcept { return an_comm_name(get()); }
    /** Wait until all ranks have made this call. */
    Result<void> try_barrier() {
        return detail::call([&](an_error *error) { return an_comm_barrier(get(), error); });
    }
    /** Copy size bytes of rank root to all. */
    Result<void> try_broadcast(void *data, std::int64_t size, std::int32_t root) {
        return detail::call(
            [&](an_error *error) { return an_comm_broadcast(get(), data, size, root, error); });
    }
    /** Stop the other ranks, because of this failure of this one. */
    void abort(const Error &why) noexcept {
        an_error error = {};
        error.status = why.status();
        std::snprintf(error.message, sizeof error.message, "%s", why.what());
        an_comm_abort(get(), &error);
    }
#if ATTRACTIVENET_EXCEPTIONS
    static Comm join(const CommOptions &options = {}) { return try_join(options).value(); }
    static Comm create_mpi(const void *mpi_comm, const CommOptions &options = {}) {
        return try_create_mpi(mpi_comm, options).value();
    }
    void barrier() { try_barrier().value(); }
    void broadcast(void *data, std::int64_t size, std::int32_t root) {
        try_broadcast(data, size, root).value();
    }
#endif
};

/* --- tensor.h --------------------------------------------------------------------------------- */

/** A dense float array, channels last. */
class Tensor : public detail::Handle<an_tensor, an_tensor_destroy> {
  public:
    using Handle::Handle;
    /** An array of zeros. */
    static Result<Tensor> try_create(Span<const std::int64_t> shape) {
        return detail::create<Tensor>([&](an_tensor **out, an_error *error) {
            return an_tensor_create(out, shape.data(), detail::rank_of(shape), error);
        });
    }
    /** An array that uses data, which must outlive it. */
    static Result<Tensor> try_borrow(Span<float> data, Span<const std::int64_t> shape) {
        const std::int64_t count = detail::elements(shape);
        if (count >= 0 && !detail::is(data.size(), count))
            return detail::wrong("data", data.size(), count);
        return detail::create<Tensor>([&](an_tensor **out, an_error *error) {
            return an_tensor_borrow(out, data.data(), shape.data(), detail::rank_of(shape), error);
        });
    }
    Span<float> data() noexcept { return {an_tensor_data(get()), count()}; }
    Span<const float> data() const noexcept { return {an_tensor_const_data(get()), count()}; }
    std::int32_t rank() const noexcept { return an_tensor_rank(get()); }
    std::int64_t length(std::int32_t axis) const noexcept { return an_tensor_length(get(), axis); }
    std::size_t count() const noexcept { return static_cast<std::size_t>(an_tensor_count(get())); }
#if ATTRACTIVENET_EXCEPTIONS
    static Tensor create(Span<const std::int64_t> shape) { return try_create(shape).value(); }
    static Tensor borrow(Span<float> data, Span<const std::int64_t> shape) {
        return try_borrow(data, shape).value();
    }
#endif
};

/* --- io.h ------------------------------------------------------------------------------------- */

struct DownloadOptions : an_download_options {
    DownloadOptions() { an_download_options_init(this, sizeof(an_download_options)); }
    std::optional<std::string> sha256, expected_type;
    Progress progress;
    Warn warn;
    struct C : detail::View {
        explicit C(const DownloadOptions &o) : c(o) {
            c.sha256 = text(o.sha256);
            c.expected_type = text(o.expected_type);
            detail::attach(c.progress, c.progress_user, o.progress);
            detail::attach(c.warn, c.warn_user, o.warn);
        }
        an_download_options c;
    };
};

inline Result<void> try_download(Text url, Text path, const DownloadOptions &options = {}) {
    DownloadOptions::C view(options);
    if (view.broken) return detail::zero_byte();
    return detail::call(
        [&](an_error *error) { return an_download(url.c_str(), path.c_str(), &view.c, error); });
}

/** Check a file against a SHA-256: an_file_verify(). */
inline Result<void> try_file_verify(Text path, Text sha256, const Progress &progress = {}) {
    return detail::call([&](an_error *error) {
        return an_file_verify(path.c_str(), sha256.c_str(), detail::function_of(progress),
                              detail::user_of(progress), error);
    });
}

struct ExtractOptions : an_extract_options {
    ExtractOptions() {
        an_extract_options_init(this, sizeof(an_extract_options));
        label_file = an_extract_options::label_file;
    }
    std::string label_file;
    std::optional<std::string> suffix, names_encoding;
    Progress progress;
    Warn warn;
    struct C : detail::View {
        explicit C(const ExtractOptions &o) : c(o) {
            c.label_file = text(o.label_file);
            c.suffix = text(o.suffix);
            c.names_encoding = text(o.names_encoding);
            detail::attach(c.progress, c.progress_user, o.progress);
            detail::attach(c.warn, c.warn_user, o.warn);
        }
        an_extract_options c;
    };
};

/** Extract what a data set needs. After a failure report, if not NULL, says how far it came. */
inline Result<an_extract_report> try_archive_extract(Text archive, Text folder,
                                                     const ExtractOptions &options = {},
                                                     an_extract_report *progress = nullptr) {
    ExtractOptions::C view(options);
    if (view.broken) return detail::zero_byte();
    an_extract_report report;
    an_extract_report_init(&report, sizeof report);
    auto done = detail::call([&](an_error *error) {
        return an_archive_extract(archive.c_str(), folder.c_str(), &view.c, &report, error);
    });
    if (progress) *progress = report;
    if (!done) return done.error();
    return report;
}

struct ImageLimits : an_image_limits {
    ImageLimits() { an_image_limits_init(this, sizeof(an_image_limits)); }
};

/** The content of a file in memory, made by the library. */
class Bytes : public detail::Handle<an_bytes, an_bytes_destroy> {
  public:
    using Handle::Handle;
    const std::uint8_t *data() const noexcept { return an_bytes_data(get()); }
    std::size_t size() const noexcept { return static_cast<std::size_t>(an_bytes_size(get())); }
};

/** An 8-bit RGB image [H,W,3]. */
class Image : public detail::Handle<an_image, an_image_destroy> {
  public:
    using Handle::Handle;
    /** An image of a copy of rgb [height,width,3]; black if rgb is empty. */
    static Result<Image> try_create(Span<const std::uint8_t> rgb, std::int64_t height,
                                    std::int64_t width) {
        const std::int64_t size = detail::product(height, width, 3);
        if (!rgb.empty() && size >= 0 && !detail::is(rgb.size(), size))
            return detail::wrong("rgb", rgb.size(), size);
        return detail::create<Image>([&](an_image **out, an_error *error) {
            return an_image_create(out, rgb.empty() ? nullptr : rgb.data(), height, width, error);
        });
    }
    /** Decode a JPEG or PNG in memory; name: for messages. */
    static Result<Image> try_decode(Span<const std::uint8_t> bytes, Text name = "in memory",
                                    const ImageLimits &limits = {}) {
        return detail::create<Image>([&](an_image **out, an_error *error) {
            return an_image_decode(out, bytes.data(), detail::signed_size(bytes.size()),
                                   name.c_str(), &limits, error);
        });
    }
    static Result<Image> try_read(Text path, const ImageLimits &limits = {}) {
        return detail::create<Image>([&](an_image **out, an_error *error) {
            return an_image_read(out, path.c_str(), &limits, error);
        });
    }
    Result<void> try_write_png(Text path) const {
        return detail::call(
            [&](an_error *error) { return an_image_write_png(get(), path.c_str(), error); });
    }
    Result<void> try_write_jpeg(Text path, std::int32_t quality) const {
        return detail::call([&](an_error *error) {
            return an_image_write_jpeg(get(), path.c_str(), quality, error);
        });
    }
    /** The bytes that write_jpeg() writes. */
    Result<Bytes> try_encode_jpeg(std::int32_t quality) const {
        return detail::create<Bytes>([&](an_bytes **out, an_error *error) {
            return an_image_encode_jpeg(out, get(), quality, error);
        });
    }
    /** An image of another size: an_resize_u8(). */
    Result<Image> try_resize(std::int64_t height, std::int64_t width) const {
        auto out = try_create({}, height, width);
        if (!out) return out;
        auto done = detail::call([&](an_error *error) {
            return an_resize_u8(an_image_const_data(get()), this->height(), this->width(), 3,
                                an_image_data(out->get()), height, width, error);
        });
        if (!done) return done.error();
        return out;
    }
    std::int64_t height() const noexcept { return an_image_height(get()); }
    std::int64_t width() const noexcept { return an_image_width(get()); }
    /** RGB [H,W,3]. */
    Span<std::uint8_t> data() noexcept { return {an_image_data(get()), size()}; }
    Span<const std::uint8_t> data() const noexcept { return {an_image_const_data(get()), size()}; }
#if ATTRACTIVENET_EXCEPTIONS
    static Image create(Span<const std::uint8_t> rgb, std::int64_t height, std::int64_t width) {
        return try_create(rgb, height, width).value();
    }
    static Image decode(Span<const std::uint8_t> bytes, Text name = "in memory",
                        const ImageLimits &limits = {}) {
        return try_decode(bytes, name, limits).value();
    }
    static Image read(Text path, const ImageLimits &limits = {}) {
        return try_read(path, limits).value();
    }
    void write_png(Text path) const { try_write_png(path).value(); }
    void write_jpeg(Text path, std::int32_t quality) const {
        try_write_jpeg(path, quality).value();
    }
    Bytes encode_jpeg(std::int32_t quality) const { return try_encode_jpeg(quality).value(); }
    Image resize(std::int64_t height, std::int64_t width) const {
        return try_resize(height, width).value();
    }
#endif

  private:
    std::size_t size() const noexcept { return static_cast<std::size_t>(height() * width() * 3); }
};

/** Height and width of a map or an image. */
struct Size {
    std::int64_t height, width;
};

/** The size of a JPEG or PNG in memory, from its header: an_image_measure(). */
inline Result<Size> try_measure_image(Span<const std::uint8_t> bytes, Text name = "in memory") {
    Size size{};
    auto done = detail::call([&](an_error *error) {
        return an_image_measure(bytes.data(), detail::signed_size(bytes.size()), name.c_str(),
                                &size.height, &size.width, error);
    });
    if (!done) return done.error();
    return size;
}
#if ATTRACTIVENET_EXCEPTIONS
inline Size measure_image(Span<const std::uint8_t> bytes, Text name = "in memory") {
    return try_measure_image(bytes, name).value();
}
#endif

/** Resize 8-bit pixels [height,width,channels]. */
inline Result<void> try_resize_u8(Span<const std::uint8_t> src, std::int64_t src_height,
                                  std::int64_t src_width, std::int32_t channels,
                                  Span<std::uint8_t> dst, std::int64_t dst_height,
                                  std::int64_t dst_width) {
    const std::int64_t from = detail::product(src_height, src_width, channels);
    const std::int64_t to = detail::product(dst_height, dst_width, channels);
    if (from >= 0 && !detail::is(src.size(), from)) return detail::wrong("src", src.size(), from);
    if (to >= 0 && !detail::is(dst.size(), to)) return detail::wrong("dst", dst.size(), to);
    return detail::call([&](an_error *error) {
        return an_resize_u8(src.data(), src_height, src_width, channels, dst.data(), dst_height,
                            dst_width, error);
    });
}

/** Named arrays with metadata: a weight file. */
class Arrays : public detail::Handle<an_arrays, an_arrays_destroy> {
  public:
    using Handle::Handle;
    static Result<Arrays> try_create() { return detail::create<Arrays>(an_arrays_create); }
    static Result<Arrays> try_read(Text path) {
        return detail::create<Arrays>([&](an_arrays **out, an_error *error) {
            return an_arrays_read(out, path.c_str(), error);
        });
    }
    static Result<Arrays> try_read_bytes(Span<const std::uint8_t> bytes, Text name = "in memory") {
        return detail::create<Arrays>([&](an_arrays **out, an_error *error) {
            return an_arrays_read_bytes(out, bytes.data(), detail::signed_size(bytes.size()),
                                        name.c_str(), error);
        });
    }
    Result<void> try_write(Text path) const {
        return detail::call(
            [&](an_error *error) { return an_arrays_write(get(), path.c_str(), error); });
    }
    Result<Bytes> try_write_bytes() const {
        return detail::create<Bytes>([&](an_bytes **out, an_error *error) {
            return an_arrays_write_bytes(out, get(), error);
        });
    }
    Result<void> try_add(Text name, Span<const float> data, Span<const std::int64_t> shape) {
        const std::int64_t count = detail::elements(shape);
        if (count >= 0 && !detail::is(data.size(), count))
            return detail::wrong("data", data.size(), count);
        return detail::call([&](an_error *error) {
            return an_arrays_add(get(), name.c_str(), data.data(), shape.data(),
                                 detail::rank_of(shape), error);
        });
    }
    Result<void> try_set_metadata(Text key, Text value) {
        return detail::call([&](an_error *error) {
            return an_arrays_set_metadata(get(), key.c_str(), value.c_str(), error);
        });
    }
    std::int64_t count() const noexcept { return an_arrays_count(get()); }
    /** The index of a name; -1 if there is no such array. */
    std::int64_t find(Text name) const noexcept { return an_arrays_find(get(), name.c_str()); }
    /** NULL if there is no such array. */
    const char *name(std::int64_t index) const noexcept { return an_arrays_name(get(), index); }
    Span<const float> data(std::int64_t index) const noexcept {
        std::size_t count = rank(index) < 0 ? 0 : 1;
        for (std::int32_t axis = 0; axis < rank(index); axis++)
            count *= static_cast<std::size_t>(length(index, axis));
        return {an_arrays_data(get(), index), count};
    }
    std::int32_t rank(std::int64_t index) const noexcept { return an_arrays_rank(get(), index); }
    std::int64_t length(std::int64_t index, std::int32_t axis) const noexcept {
        return an_arrays_length(get(), index, axis);
    }
    /** NULL if there is no such key. */
    const char *metadata(Text key) const noexcept { return an_arrays_metadata(get(), key.c_str()); }
    std::int64_t metadata_count() const noexcept { return an_arrays_metadata_count(get()); }
    const char *metadata_key(std::int64_t index) const noexcept {
        return an_arrays_metadata_key(get(), index);
    }
#if ATTRACTIVENET_EXCEPTIONS
    static Arrays create() { return try_create().value(); }
    static Arrays read(Text path) { return try_read(path).value(); }
    static Arrays read_bytes(Span<const std::uint8_t> bytes, Text name = "in memory") {
        return try_read_bytes(bytes, name).value();
    }
    void write(Text path) const { try_write(path).value(); }
    Bytes write_bytes() const { return try_write_bytes().value(); }
    void add(Text name, Span<const float> data, Span<const std::int64_t> shape) {
        try_add(name, data, shape).value();
    }
    void set_metadata(Text key, Text value) { try_set_metadata(key, value).value(); }
#endif
};

#if ATTRACTIVENET_EXCEPTIONS
inline void download(Text url, Text path, const DownloadOptions &options = {}) {
    try_download(url, path, options).value();
}
inline void file_verify(Text path, Text sha256, const Progress &progress = {}) {
    try_file_verify(path, sha256, progress).value();
}
inline an_extract_report archive_extract(Text archive, Text folder,
                                         const ExtractOptions &options = {},
                                         an_extract_report *progress = nullptr) {
    return try_archive_extract(archive, folder, options, progress).value();
}
inline void resize_u8(Span<const std::uint8_t> src, std::int64_t src_height, std::int64_t src_width,
                      std::int32_t channels, Span<std::uint8_t> dst, std::int64_t dst_height,
                      std::int64_t dst_width) {
    try_resize_u8(src, src_height, src_width, channels, dst, dst_height, dst_width).value();
}
#endif

/* --- dataset.h -------------------------------------------------------------------------------- */

inline Result<std::array<float, 768>> try_scale_fill_tables(std::int32_t scale) {
    std::array<float, 768> tables{};
    auto done = detail::call(
        [&](an_error *error) { return an_scale_fill_tables(scale, tables.data(), error); });
    if (!done) return done.error();
    return tables;
}

struct DatasetOptions : an_dataset_options {
    DatasetOptions() {
        an_dataset_options_init(this, sizeof(an_dataset_options));
        label_file = an_dataset_options::label_file;
    }
    std::string label_file;
    std::optional<std::string> suffix, name_column, weight_column;
    std::optional<ImageLimits> limits;
    std::optional<ExtractOptions> archive;
    Warn warn;                              /* also called by the loaders of the data set */
    std::vector<std::string> classes;       /* empty: those found in the labels */
    std::vector<std::string> score_columns; /* empty: all others */
    struct C : detail::View {
        explicit C(const DatasetOptions &o)
            : c(o), classes(texts(o.classes)), columns(texts(o.score_columns)) {
            if (o.archive) archive.emplace(*o.archive);
            if (archive && archive->broken) broken = true;
            c.label_file = text(o.label_file);
            c.suffix = text(o.suffix);
            c.name_column = text(o.name_column);
            c.weight_column = text(o.weight_column);
            c.limits = o.limits ? &*o.limits : nullptr;
            c.archive = archive ? &archive->c : nullptr;
            detail::attach(c.warn, c.warn_user, o.warn);
            c.classes = classes.empty() ? nullptr : classes.data();
            c.class_count = static_cast<std::int32_t>(classes.size());
            c.score_columns = columns.empty() ? nullptr : columns.data();
        }
        an_dataset_options c;
        std::optional<ExtractOptions::C> archive;
        std::vector<const char *> classes, columns;
    };
};

struct SplitOptions : an_split_options {
    SplitOptions() { an_split_options_init(this, sizeof(an_split_options)); }
};

/** The indices of the parts of a split. */
struct Split {
    std::vector<std::int64_t> train, val, test;
};

/** Samples: a name, a label and an image each. Any number of calls may read it at once;
 *  set_weights() and check() run alone. */
class Dataset : public detail::Handle<an_dataset, an_dataset_destroy> {
  public:
    using Handle::Handle;
    /** Open a folder or a zip archive. */
    static Result<Dataset> try_open(Text path, const DatasetOptions &options = {}) {
        return make(options, [&](an_dataset **out, const an_dataset_options *c, an_error *error) {
            return an_dataset_open(out, path.c_str(), c, error);
        });
    }
    /** Image files anywhere; scores [count,outputs], or [count] with classes. */
    static Result<Dataset> try_from_files(const std::vector<std::string> &paths,
                                          Span<const double> scores,
                                          const DatasetOptions &options = {}) {
        return detail::allocating([&]() -> Result<Dataset> {
            const std::int64_t expected = scores_of(paths.size(), options.outputs, options);
            if (!detail::is(scores.size(), expected))
                return detail::wrong("scores", scores.size(), expected);
            detail::View view;
            const std::vector<const char *> names = view.texts(paths);
            if (view.broken) return detail::zero_byte();
            return make(
                options, [&](an_dataset **out, const an_dataset_options *c, an_error *error) {
                    return an_dataset_from_files(out, names.data(), scores.data(),
                                                 detail::signed_size(paths.size()), c, error);
                });
        });
    }
    /** Encoded images in memory; names: none, or one for each. */
    static Result<Dataset> try_from_bytes(Span<const Span<const std::uint8_t>> images,
                                          const std::vector<std::string> &names,
                                          Span<const double> scores,
                                          const DatasetOptions &options = {}) {
        return detail::allocating([&]() -> Result<Dataset> {
            const std::int64_t expected = scores_of(images.size(), options.outputs, options);
            if (!detail::is(scores.size(), expected))
                return detail::wrong("scores", scores.size(), expected);
            if (!names.empty() && names.size() != images.size())
                return detail::wrong("names", names.size(), detail::signed_size(images.size()));
            std::vector<const void *> data;
            std::vector<std::int64_t> sizes;
            for (const auto &image : images) {
                data.push_back(image.data());
                sizes.push_back(detail::signed_size(image.size()));
            }
            detail::View view;
            const std::vector<const char *> texts = view.texts(names);
            if (view.broken) return detail::zero_byte();
            return make(options, [&](an_dataset **out, const an_dataset_options *c,
                                     an_error *error) {
                return an_dataset_from_bytes(out, data.data(), sizes.data(),
                                             texts.empty() ? nullptr : texts.data(), scores.data(),
                                             detail::signed_size(images.size()), c, error);
            });
        });
    }
    /** A copy of pixels rgb [count,height,width,3]; scores [count,outputs], or [count] with
     * classes. */
    static Result<Dataset> try_from_pixels(Span<const std::uint8_t> rgb, std::int64_t count,
                                           std::int32_t height, std::int32_t width,
                                           Span<const double> scores, std::int32_t outputs = 1,
                                           const DatasetOptions &options = {}) {
        const std::int64_t size = detail::product(count, height, width, 3);
        if (!detail::is(rgb.size(), size)) return detail::wrong("rgb", rgb.size(), size);
        const std::int64_t expected = scores_of(static_cast<std::size_t>(count), outputs, options);
        if (!detail::is(scores.size(), expected))
            return detail::wrong("scores", scores.size(), expected);
        return make(options, [&](an_dataset **out, const an_dataset_options *c, an_error *error) {
            return an_dataset_from_pixels(out, rgb.data(), count, height, width, scores.data(),
                                          outputs, c, error);
        });
    }
    /** Pixels that stay where they are; strides in bytes, 0 = dense. release is called once, when
     *  they are not needed any more, and not if this call fails. Like a destructor, it must not
     *  throw. */
    static Result<Dataset> try_borrow_pixels(Span<const std::uint8_t> rgb, std::int64_t count,
                                             std::int32_t height, std::int32_t width,
                                             std::int64_t image_stride, std::int64_t row_stride,
                                             Span<const double> scores, std::int32_t outputs = 1,
                                             std::function<void()> release = {},
                                             const DatasetOptions &options = {}) {
        const std::int64_t row = row_stride ? row_stride : detail::product(width, 3);
        const std::int64_t image = image_stride ? image_stride : detail::product(height, row);
        const std::int64_t before = detail::product(count - 1, image),
                           above = detail::product(height - 1, row);
        const std::int64_t last = detail::product(width, 3);
        if (before < 0 || above < 0 || last < 0 ||
            rgb.size() < static_cast<std::size_t>(before) + static_cast<std::size_t>(above) +
                             static_cast<std::size_t>(last))
            return Error(AN_ERR_ARG, "rgb is smaller than the images that count, height, width and "
                                     "the strides describe");
        const std::int64_t expected = scores_of(static_cast<std::size_t>(count), outputs, options);
        if (!detail::is(scores.size(), expected))
            return detail::wrong("scores", scores.size(), expected);
        return detail::allocating([&]() -> Result<Dataset> {
            auto kept =
                release ? std::make_unique<std::function<void()>>(std::move(release)) : nullptr;
            auto made =
                make(options, [&](an_dataset **out, const an_dataset_options *c, an_error *error) {
                    return an_dataset_borrow_pixels(
                        out, rgb.data(), count, height, width, image_stride, row_stride,
                        scores.data(), outputs, kept ? &released : nullptr, kept.get(), c, error);
                });
            if (made) static_cast<void>(kept.release());
            return made;
        });
    }

    std::int64_t count() const noexcept { return an_dataset_count(get()); }
    std::int32_t height() const noexcept { return an_dataset_height(get()); }
    std::int32_t width() const noexcept { return an_dataset_width(get()); }
    std::int32_t outputs() const noexcept { return an_dataset_outputs(get()); }
    /** NULL if there is no such sample. */
    const char *name(std::int64_t index) const noexcept { return an_dataset_name(get(), index); }
    double score(std::int64_t index, std::int32_t output = 0) const noexcept {
        return an_dataset_score(get(), index, output);
    }
    /** All labels [count,outputs]. */
    Result<std::vector<double>> try_scores() const {
        return detail::allocating([&]() -> Result<std::vector<double>> {
            std::vector<double> scores(static_cast<std::size_t>(count() * outputs()));
            auto done = detail::call([&](an_error *error) {
                return an_dataset_copy_scores(get(), scores.data(), error);
            });
            if (!done) return done.error();
            return scores;
        });
    }
    std::int32_t class_count() const noexcept { return an_dataset_class_count(get()); }
    const char *class_name(std::int32_t index) const noexcept {
        return an_dataset_class_name(get(), index);
    }
    std::int32_t class_of(std::int64_t index) const noexcept {
        return an_dataset_class(get(), index);
    }
    /** Set the weight of each sample; empty: each counts as 1. */
    Result<void> try_set_weights(Span<const double> weights) {
        return detail::call([&](an_error *error) {
            return an_dataset_set_weights(get(), weights.empty() ? nullptr : weights.data(),
                                          detail::signed_size(weights.size()), error);
        });
    }
    double weight(std::int64_t index) const noexcept { return an_dataset_weight(get(), index); }
    bool has_weights() const noexcept { return an_dataset_has_weights(get()) != 0; }
    std::int64_t labels_without_image() const noexcept {
        return an_dataset_labels_without_image(get());
    }
    std::int64_t skipped() const noexcept { return an_dataset_skipped(get()); }
    /** Read, decode and resize a sample into rgb [height,width,3]. */
    Result<void> try_read_pixels(std::int64_t index, Span<std::uint8_t> rgb) const {
        const std::int64_t size = detail::product(height(), width(), 3);
        if (get() && !detail::is(rgb.size(), size)) return detail::wrong("rgb", rgb.size(), size);
        return detail::call([&](an_error *error) {
            return an_dataset_read_pixels(get(), index, rgb.data(), error);
        });
    }
    /** Read the file of a sample. */
    Result<Bytes> try_read_bytes(std::int64_t index) const {
        return detail::create<Bytes>([&](an_bytes **out, an_error *error) {
            return an_dataset_read_bytes(out, get(), index, error);
        });
    }
    /** Decode every image once. */
    Result<void> try_check(std::int32_t threads = 0, const Progress &progress = {}) {
        return detail::call([&](an_error *error) {
            return an_dataset_check(get(), threads, detail::function_of(progress),
                                    detail::user_of(progress), error);
        });
    }
#if ATTRACTIVENET_EXCEPTIONS
    static Dataset open(Text path, const DatasetOptions &options = {}) {
        return try_open(path, options).value();
    }
    static Dataset from_files(const std::vector<std::string> &paths, Span<const double> scores,
                              const DatasetOptions &options = {}) {
        return try_from_files(paths, scores, options).value();
    }
    static Dataset from_bytes(Span<const Span<const std::uint8_t>> images,
                              const std::vector<std::string> &names, Span<const double> scores,
                              const DatasetOptions &options = {}) {
        return try_from_bytes(images, names, scores, options).value();
    }
    static Dataset from_pixels(Span<const std::uint8_t> rgb, std::int64_t count,
                               std::int32_t height, std::int32_t width, Span<const double> scores,
                               std::int32_t outputs = 1, const DatasetOptions &options = {}) {
        return try_from_pixels(rgb, count, height, width, scores, outputs, options).value();
    }
    static Dataset borrow_pixels(Span<const std::uint8_t> rgb, std::int64_t count,
                                 std::int32_t height, std::int32_t width, std::int64_t image_stride,
                                 std::int64_t row_stride, Span<const double> scores,
                                 std::int32_t outputs = 1, std::function<void()> release = {},
                                 const DatasetOptions &options = {}) {
        return try_borrow_pixels(rgb, count, height, width, image_stride, row_stride, scores,
                                 outputs, std::move(release), options)
            .value();
    }
    std::vector<double> scores() const { return try_scores().value(); }
    void set_weights(Span<const double> weights) { try_set_weights(weights).value(); }
    void read_pixels(std::int64_t index, Span<std::uint8_t> rgb) const {
        try_read_pixels(index, rgb).value();
    }
    Bytes read_bytes(std::int64_t index) const { return try_read_bytes(index).value(); }
    void check(std::int32_t threads = 0, const Progress &progress = {}) {
        try_check(threads, progress).value();
    }
#endif

  private:
    static void released(void *user) noexcept {
        std::unique_ptr<std::function<void()>> release(static_cast<std::function<void()> *>(user));
        (*release)();
    }
    static std::int64_t scores_of(std::size_t count, std::int32_t outputs,
                                  const DatasetOptions &options) {
        return options.labels == AN_LABELS_NUMBERS ? detail::product(count, outputs)
                                                   : detail::signed_size(count);
    }
    template <class F> static Result<Dataset> make(const DatasetOptions &options, F &&fn) {
        return detail::allocating([&]() -> Result<Dataset> {
            /* the data set and its loaders call warn, wherever the caller's options are by then */
            auto kept = std::make_shared<const DatasetOptions>(options);
            DatasetOptions::C view(*kept);
            if (view.broken) return detail::zero_byte();
            const std::int64_t columns = options.labels == AN_LABELS_NUMBERS ? options.outputs : 1;
            if (!view.columns.empty() && !detail::is(view.columns.size(), columns))
                return detail::wrong("score_columns", view.columns.size(), columns);
            auto made = detail::create<Dataset>(
                [&](an_dataset **out, an_error *error) { return fn(out, &view.c, error); });
            if (made && options.warn) made->keep(std::move(kept));
            return made;
        });
    }
};

/** Split the numbers 0 to count - 1 as scikit-learn does: train and test. */
inline Result<Split> try_train_test_split(std::int64_t count, const SplitOptions &options = {}) {
    return detail::allocating([&]() -> Result<Split> {
        std::int64_t n_train = 0, n_test = 0;
        auto done = detail::call([&](an_error *error) {
            return an_split_compute_sizes(count, &options, &n_train, &n_test, error);
        });
        if (!done) return done.error();
        Split split;
        split.train.resize(static_cast<std::size_t>(n_train));
        split.test.resize(static_cast<std::size_t>(n_test));
        done = detail::call([&](an_error *error) {
            return an_train_test_split(count, &options, split.train.data(), split.test.data(),
                                       error);
        });
        if (!done) return done.error();
        return split;
    });
}

namespace detail {
/** A split of count samples by split(indices, &n_train, &n_val, &n_test, error). */
template <class F> Result<Split> split_of(std::int64_t count, F split) {
    return allocating([&]() -> Result<Split> {
        std::vector<std::int64_t> all(static_cast<std::size_t>(count < 0 ? 0 : count));
        std::int64_t n_train = 0, n_val = 0, n_test = 0;
        auto done = call(
            [&](an_error *error) { return split(all.data(), &n_train, &n_val, &n_test, error); });
        if (!done) return done.error();
        Split out;
        const auto val = all.begin() + n_train, test = val + n_val;
        out.train.assign(all.begin(), val);
        out.val.assign(val, test);
        out.test.assign(test, all.end());
        return out;
    });
}
} // namespace detail

/** Split as the tutorial does: train, validation and test. */
inline Result<Split> try_tutorial_split(std::int64_t count, std::uint32_t seed = 42) {
    return detail::split_of(count, [&](std::int64_t *all, std::int64_t *n_train,
                                       std::int64_t *n_val, std::int64_t *n_test, an_error *error) {
        return an_tutorial_split(count, seed, all, n_train, n_val, n_test, error);
    });
}

/** Split for cross-validation: fold, from 1 to folds, is the test set. */
inline Result<Split> try_fold_split(std::int64_t count, std::int32_t folds, std::int32_t fold,
                                    std::uint32_t seed = 42) {
    return detail::split_of(count, [&](std::int64_t *all, std::int64_t *n_train,
                                       std::int64_t *n_val, std::int64_t *n_test, an_error *error) {
        return an_fold_split(count, folds, fold, seed, all, n_train, n_val, n_test, error);
    });
}
/** Split around a given test set. */
inline Result<Split> try_held_out_split(std::int64_t count, Span<const std::int64_t> test,
                                        std::uint32_t seed = 42) {
    return detail::split_of(count, [&](std::int64_t *all, std::int64_t *n_train,
                                       std::int64_t *n_val, std::int64_t *n_test, an_error *error) {
        *n_test = detail::signed_size(test.size());
        return an_held_out_split(count, test.data(), *n_test, seed, all, n_train, n_val, error);
    });
}

#if ATTRACTIVENET_EXCEPTIONS
inline Split fold_split(std::int64_t count, std::int32_t folds, std::int32_t fold,
                        std::uint32_t seed = 42) {
    return try_fold_split(count, folds, fold, seed).value();
}
inline Split held_out_split(std::int64_t count, Span<const std::int64_t> test,
                            std::uint32_t seed = 42) {
    return try_held_out_split(count, test, seed).value();
}
inline std::array<float, 768> scale_fill_tables(std::int32_t scale) {
    return try_scale_fill_tables(scale).value();
}
inline Split train_test_split(std::int64_t count, const SplitOptions &options = {}) {
    return try_train_test_split(count, options).value();
}
inline Split tutorial_split(std::int64_t count, std::uint32_t seed = 42) {
    return try_tutorial_split(count, seed).value();
}
#endif

/* --- augment.h -------------------------------------------------------------------------------- */

struct AugmentOptions : an_augment_options {
    AugmentOptions() { an_augment_options_init(this, sizeof(an_augment_options)); }
    /** The tutorial's augmentation. */
    static AugmentOptions tutorial() {
        AugmentOptions options;
        an_augment_options_tutorial(&options, sizeof(an_augment_options));
        return options;
    }
    std::vector<double> width_shifts, height_shifts; /* empty: none */
    struct C : detail::View {
        explicit C(const AugmentOptions &o) : c(o) {
            c.width_shifts = o.width_shifts.empty() ? nullptr : o.width_shifts.data();
            c.width_shift_count = detail::signed_size(o.width_shifts.size());
            c.height_shifts = o.height_shifts.empty() ? nullptr : o.height_shifts.data();
            c.height_shift_count = detail::signed_size(o.height_shifts.size());
        }
        an_augment_options c;
    };
};

struct LoaderOptions : an_loader_options {
    LoaderOptions() { an_loader_options_init(this, sizeof(an_loader_options)); }
    std::optional<AugmentOptions> augment;
    struct C : detail::View {
        explicit C(const LoaderOptions &o) : c(o) {
            if (o.augment) augment.emplace(*o.augment);
            c.augment = augment ? &augment->c : nullptr;
        }
        an_loader_options c;
        std::optional<AugmentOptions::C> augment;
    };
};

/** Samples supplied by a callback. */
struct LoaderSource : an_loader_source {
    LoaderSource() { an_loader_source_init(this, sizeof(an_loader_source)); }
    Fill fill;
    std::optional<std::string> identity;
    /** Called once when fill will not be called again. Like a destructor, it must not throw. */
    std::function<void()> release;
};

/** A batch, borrowed from the loader until its next call. */
struct Batch {
    std::int64_t n = 0;
    Span<const float> x;              /* [n,H,W,3] */
    Span<const float> y;              /* [n,outputs] */
    Span<const float> weights;        /* [n]; empty: 1 each */
    Span<const std::int64_t> samples; /* [n] */
};

/** Batches of samples, epoch after epoch. One call at a time. */
class Loader : public detail::Handle<an_loader, an_loader_destroy> {
  public:
    using Handle::Handle;
    /** Batches of some samples of a data set. */
    static Result<Loader> try_create(const Dataset &dataset, Span<const std::int64_t> indices,
                                     const LoaderOptions &options = {}) {
        if (indices.empty())
            return Error(AN_ERR_ARG, "indices is empty; it must name at least one sample");
        return make(dataset, indices, options);
    }
    /** Batches of all samples, in order. */
    static Result<Loader> try_create(const Dataset &dataset, const LoaderOptions &options = {}) {
        return make(dataset, {}, options);
    }
    /** Batches filled in by source.fill. */
    static Result<Loader> try_create(const LoaderSource &source,
                                     const LoaderOptions &options = {}) {
        return detail::allocating([&]() -> Result<Loader> {
            auto kept = std::make_unique<LoaderSource>(source);
            detail::View view;
            an_loader_source c = *kept;
            c.fill = kept->fill ? &filled : nullptr;
            c.user = kept.get();
            c.identity = view.text(kept->identity);
            c.release = &released;
            if (view.broken) return detail::zero_byte();
            LoaderOptions::C loading(options);
            auto made = detail::create<Loader>([&](an_loader **out, an_error *error) {
                return an_loader_create_from_callback(out, &c, &loading.c, error);
            });
            if (made) static_cast<void>(kept.release());
            return made;
        });
    }
    Result<void> try_set_cancel(const Cancel &cancel) {
        return detail::call(
            [&](an_error *error) { return an_loader_set_cancel(get(), cancel.get(), error); });
    }
    Result<void> try_begin(std::int64_t epoch, std::int64_t first = 0) {
        return detail::call(
            [&](an_error *error) { return an_loader_begin(get(), epoch, first, error); });
    }
    /** The next batch; nothing at the end of the epoch. */
    Result<std::optional<Batch>> try_next() {
        const float *x = nullptr, *y = nullptr;
        const std::int64_t *samples = nullptr;
        std::int64_t n = 0;
        auto done = detail::call_status(
            [&](an_error *error) { return an_loader_next(get(), &x, &y, &samples, &n, error); });
        if (!done) return done.error();
        if (*done == AN_DONE) return std::optional<Batch>();
        const auto count = static_cast<std::size_t>(n);
        const auto image = static_cast<std::size_t>(detail::product(height(), width(), 3));
        Batch batch;
        batch.n = n;
        batch.x = {x, count * image};
        batch.y = {y, count * static_cast<std::size_t>(outputs())};
        batch.samples = {samples, count};
        const float *weights = an_loader_batch_weights(get());
        batch.weights = {weights, weights ? count : 0};
        return std::optional<Batch>(batch);
    }
    std::int64_t steps() const noexcept { return an_loader_steps(get()); }
    std::int64_t samples() const noexcept { return an_loader_samples(get()); }
    std::int32_t batch_size() const noexcept { return an_loader_batch_size(get()); }
    std::int32_t height() const noexcept { return an_loader_height(get()); }
    std::int32_t width() const noexcept { return an_loader_width(get()); }
    std::int32_t outputs() const noexcept { return an_loader_outputs(get()); }
    std::int32_t scale() const noexcept { return an_loader_scale(get()); }
    bool has_weights() const noexcept { return an_loader_has_weights(get()) != 0; }
    bool is_plain() const noexcept { return an_loader_is_plain(get()) != 0; }
#if ATTRACTIVENET_EXCEPTIONS
    static Loader create(const Dataset &dataset, Span<const std::int64_t> indices,
                         const LoaderOptions &options = {}) {
        return try_create(dataset, indices, options).value();
    }
    static Loader create(const Dataset &dataset, const LoaderOptions &options = {}) {
        return try_create(dataset, options).value();
    }
    static Loader create(const LoaderSource &source, const LoaderOptions &options = {}) {
        return try_create(source, options).value();
    }
    void set_cancel(const Cancel &cancel) { try_set_cancel(cancel).value(); }
    void begin(std::int64_t epoch, std::int64_t first = 0) { try_begin(epoch, first).value(); }
    std::optional<Batch> next() { return try_next().value(); }
#endif

  private:
    static Result<Loader> make(const Dataset &dataset, Span<const std::int64_t> indices,
                               const LoaderOptions &options) {
        return detail::allocating([&]() -> Result<Loader> {
            LoaderOptions::C view(options);
            auto made = detail::create<Loader>([&](an_loader **out, an_error *error) {
                return an_loader_create(out, dataset.get(),
                                        indices.empty() ? nullptr : indices.data(),
                                        detail::signed_size(indices.size()), &view.c, error);
            });
            if (made) made->keep(dataset.kept());
            return made;
        });
    }
    static std::int32_t filled(void *user, const an_fill_batch *batch) noexcept {
        return detail::shielded([&] { return static_cast<LoaderSource *>(user)->fill(*batch); });
    }
    static void released(void *user) noexcept {
        std::unique_ptr<LoaderSource> source(static_cast<LoaderSource *>(user));
        if (source->release) source->release();
    }
};

/* --- layers.h, mobilenetv2.h, predict.h (loaders) --------------------------------------------- */

struct MobileNetV2Options : an_mobilenetv2_options {
    MobileNetV2Options() { an_mobilenetv2_options_init(this, sizeof(an_mobilenetv2_options)); }
    std::optional<std::string> weights_path;
    Progress progress;
    struct C : detail::View {
        explicit C(const MobileNetV2Options &o) : c(o) {
            c.weights_path = text(o.weights_path);
            detail::attach(c.progress, c.progress_user, o.progress);
        }
        an_mobilenetv2_options c;
    };
};

struct LossOptions : an_loss_options {
    LossOptions() { an_loss_options_init(this, sizeof(an_loss_options)); }
    LossFn fn;
    Span<const float> weights; /* [n]; empty: 1 each */
    struct C : detail::View {
        explicit C(const LossOptions &o) : c(o) {
            detail::attach(c.fn, c.user, o.fn);
            c.weights = o.weights.empty() ? nullptr : o.weights.data();
        }
        an_loss_options c;
    };
};

/** What explain() explains. */
struct ExplainOptions : an_explain_options {
    ExplainOptions() { an_explain_options_init(this, sizeof(an_explain_options)); }
    std::optional<std::string> layer; /* none: the last one */
    struct C : detail::View {
        explicit C(const ExplainOptions &o) : c(o) { c.layer = text(o.layer); }
        an_explain_options c;
    };
};

/** How export_to() writes a model for another tool. */
struct ExportOptions : an_export_options {
    ExportOptions() { an_export_options_init(this, sizeof(an_export_options)); }
};

struct HeadOptions : an_head_options {
    HeadOptions() { an_head_options_init(this, sizeof(an_head_options)); }
};

/** A network with its weights. Readers may be called at the same time, see an_model. */
class Model : public detail::Handle<an_model, an_model_destroy> {
  public:
    Model() noexcept = default;
    /** Own a model that a C function made. */
    explicit Model(an_model *model) noexcept : Handle(model) {
        an_model_info info;
        an_model_info_init(&info, sizeof info);
        if (an_model_describe(model, &info, nullptr)) return;
        image_ = detail::product(info.height, info.width, 3);
        outputs_ = info.outputs;
        features_ = info.features;
    }
    /** Build MobileNetV2. */
    static Result<Model> try_mobilenetv2(const Backend &backend,
                                         const MobileNetV2Options &options = {}) {
        MobileNetV2Options::C view(options);
        if (view.broken) return detail::zero_byte();
        return detail::create<Model>([&](an_model **out, an_error *error) {
            return an_mobilenetv2_create(out, backend.get(), &view.c, error);
        });
    }
    /** Load a model file. */
    static Result<Model> try_load(const Backend &backend, Text path) {
        return detail::create<Model>([&](an_model **out, an_error *error) {
            return an_model_load(out, backend.get(), path.c_str(), nullptr, error);
        });
    }
    /** Load a model file, with what it may leave unspecified. */
    static Result<Model> try_load(const Backend &backend, Text path,
                                  const MobileNetV2Options &options) {
        MobileNetV2Options::C view(options);
        if (view.broken) return detail::zero_byte();
        return detail::create<Model>([&](an_model **out, an_error *error) {
            return an_model_load(out, backend.get(), path.c_str(), &view.c, error);
        });
    }
    static Result<Model> try_load_bytes(const Backend &backend, Span<const std::uint8_t> bytes,
                                        Text name = "in memory") {
        return detail::create<Model>([&](an_model **out, an_error *error) {
            return an_model_load_bytes(out, backend.get(), bytes.data(),
                                       detail::signed_size(bytes.size()), name.c_str(), nullptr,
                                       error);
        });
    }
    static Result<Model> try_load_bytes(const Backend &backend, Span<const std::uint8_t> bytes,
                                        Text name, const MobileNetV2Options &options) {
        MobileNetV2Options::C view(options);
        if (view.broken) return detail::zero_byte();
        return detail::create<Model>([&](an_model **out, an_error *error) {
            return an_model_load_bytes(out, backend.get(), bytes.data(),
                                       detail::signed_size(bytes.size()), name.c_str(), &view.c,
                                       error);
        });
    }

    Result<an_model_info> try_describe() const {
        an_model_info info;
        an_model_info_init(&info, sizeof info);
        auto done =
            detail::call([&](an_error *error) { return an_model_describe(get(), &info, error); });
        if (!done) return done.error();
        return info;
    }
    /** The C handle of the backend; borrowed from the model. */
    an_backend *backend() const noexcept { return an_model_backend(get()); }
    /** The table of layers, AN_SUMMARY_*; "" for an unknown style. */
    Result<std::string> try_summary(std::int32_t style = AN_SUMMARY_KERAS) const {
        return detail::allocating([&]() -> Result<std::string> {
            std::string text(static_cast<std::size_t>(an_model_summary(get(), style, nullptr, 0)),
                             '\0');
            if (text.empty()) return text;
            an_model_summary(get(), style, text.data(), detail::signed_size(text.size()));
            text.pop_back();
            return text;
        });
    }
    /** Attach a flag; an empty one: none. */
    Result<void> try_set_cancel(const Cancel &cancel) {
        return detail::call(
            [&](an_error *error) { return an_model_set_cancel(get(), cancel.get(), error); });
    }
    Result<void> try_set_base(std::int32_t base) {
        return detail::call([&](an_error *error) { return an_model_set_base(get(), base, error); });
    }
    Result<void> try_set_training(std::int32_t precision, bool recompute) {
        return detail::call([&](an_error *error) {
            return an_model_set_training(get(), precision, recompute, error);
        });
    }
    Result<void> try_set_momentum(double momentum) {
        return detail::call(
            [&](an_error *error) { return an_model_set_momentum(get(), momentum, error); });
    }

    /** Predict x [n,H,W,3], scaled, into y [n,outputs]. */
    Result<void> try_predict(Span<const float> x, Span<float> y) const {
        return apply(an_model_predict, "x", x, image_, "y", y, outputs_);
    }
    Result<std::vector<float>> try_predict(Span<const float> x) const {
        return apply(an_model_predict, "x", x, image_, "y", outputs_);
    }
    /** The head's input for x [n,H,W,3]: features [n,features]. */
    Result<void> try_compute_features(Span<const float> x, Span<float> features) const {
        return apply(an_model_compute_features, "x", x, image_, "features", features, features_);
    }
    Result<std::vector<float>> try_compute_features(Span<const float> x) const {
        return apply(an_model_compute_features, "x", x, image_, "features", features_);
    }
    /** Predict from features [n,features] into y [n,outputs]. */
    Result<void> try_predict_from_features(Span<const float> features, Span<float> y) const {
        return apply(an_model_predict_from_features, "features", features, features_, "y", y,
                     outputs_);
    }
    Result<std::vector<float>> try_predict_from_features(Span<const float> features) const {
        return apply(an_model_predict_from_features, "features", features, features_, "y",
                     outputs_);
    }
    /** Score all samples of a loader: [samples,outputs]. */
    Result<std::vector<float>> try_predict(const Loader &loader,
                                           const Progress &progress = {}) const {
        return read(an_predict_loader, loader, outputs_, progress);
    }
    /** The features of all samples of a loader: [samples,features]. */
    Result<std::vector<float>> try_compute_features(const Loader &loader,
                                                    const Progress &progress = {}) const {
        return read(an_compute_features_loader, loader, features_, progress);
    }
    /** The mean loss over a loader. */
    Result<double> try_evaluate(const Loader &loader, const LossOptions &loss = {},
                                const Progress &progress = {}) const {
        LossOptions::C view(loss);
        double value = 0;
        auto done = detail::call([&](an_error *error) {
            return an_model_evaluate(get(), loader.get(), &view.c, &value,
                                     detail::function_of(progress), detail::user_of(progress),
                                     error);
        });
        if (!done) return done.error();
        return value;
    }

    /** The loss of a batch x [n,H,W,3], y [n,outputs]; the gradients stay in the model. */
    Result<double> try_compute_gradients(Span<const float> x, Span<const float> y,
                                         const LossOptions &loss = {}) {
        return gradients_of(an_model_compute_gradients, "x", x, image_, y, loss);
    }
    Result<double> try_compute_head_gradients(Span<const float> features, Span<const float> y,
                                              const LossOptions &loss = {}) {
        return gradients_of(an_model_compute_head_gradients, "features", features, features_, y,
                            loss);
    }
    /** Fit the head in closed form to samples by their features; val may be empty. weights: of the
     *  training samples; empty: 1 each. */
    Result<an_head_report> try_fit_head(Span<const float> features, Span<const float> targets,
                                        const HeadOptions &options = {},
                                        Span<const float> weights = {},
                                        Span<const float> val_features = {},
                                        Span<const float> val_targets = {}) {
        an_head_samples train, val;
        an_head_report report;
        an_head_report_init(&report, sizeof report);
        auto taken = head_samples(train, features, targets, weights);
        if (taken && !val_features.empty())
            taken = head_samples(val, val_features, val_targets, {});
        if (!taken) return taken.error();
        auto done = detail::call([&](an_error *error) {
            return an_model_fit_head(get(), &train, val_features.empty() ? nullptr : &val, &options,
                                     &report, error);
        });
        if (!done) return done.error();
        return report;
    }
    /** Set half the widths of the intervals, one per output; none removes them. */
    Result<void> try_set_intervals(double level, Span<const double> half_widths) {
        return detail::call([&](an_error *error) {
            return an_model_set_intervals(get(), level,
                                          half_widths.empty() ? nullptr : half_widths.data(),
                                          static_cast<std::int32_t>(half_widths.size()), error);
        });
    }
    /** Half the width of the interval of an output; NaN: none. */
    double interval(std::int32_t output = 0, double *level = nullptr) const noexcept {
        return an_model_interval(get(), output, level);
    }
    Result<void> try_update_batch_norm_begin() {
        return detail::call(
            [&](an_error *error) { return an_model_update_batch_norm_begin(get(), error); });
    }
    Result<void> try_update_batch_norm_add(Span<const float> x) {
        return add(an_model_update_batch_norm_add, x);
    }
    Result<void> try_update_batch_norm_end() {
        return detail::call(
            [&](an_error *error) { return an_model_update_batch_norm_end(get(), error); });
    }
    Result<void> try_calibrate_begin() {
        return detail::call(
            [&](an_error *error) { return an_model_calibrate_begin(get(), error); });
    }
    Result<void> try_calibrate_add(Span<const float> x) { return add(an_model_calibrate_add, x); }
    Result<void> try_calibrate_end() {
        return detail::call([&](an_error *error) { return an_model_calibrate_end(get(), error); });
    }
    /** Calibrate with the first images of a loader; 0 = all. */
    Result<void> try_calibrate(const Loader &loader, std::int64_t images = 0,
                               const Progress &progress = {}) {
        return detail::call([&](an_error *error) {
            return an_calibrate_loader(get(), loader.get(), images, detail::function_of(progress),
                                       detail::user_of(progress), error);
        });
    }
    Result<void> try_set_inference(std::int32_t inference) {
        return detail::call(
            [&](an_error *error) { return an_model_set_inference(get(), inference, error); });
    }

    /** The size of a layer's maps. */
    Result<Size> try_explain_size(const std::optional<std::string> &layer = {}) const {
        ExplainOptions options;
        options.layer = layer;
        ExplainOptions::C view(options);
        if (view.broken) return detail::zero_byte();
        std::int32_t height = 0, width = 0;
        auto done = detail::call([&](an_error *error) {
            return an_model_explain_size(get(), view.c.layer, &height, &width, error);
        });
        if (!done) return done.error();
        return Size{height, width};
    }
    /** What moves an output, for x [n,H,W,3], scaled: maps [n,height,width]. */
    Result<std::vector<float>> try_explain(Span<const float> x,
                                           const ExplainOptions &options = {}) {
        return detail::allocating([&]() -> Result<std::vector<float>> {
            ExplainOptions::C view(options);
            if (view.broken) return detail::zero_byte();
            const auto size = try_explain_size(options.layer);
            if (!size) return size.error();
            const std::int64_t n = detail::rows(x.size(), image_);
            if (n < 0) return detail::not_rows("x", x.size(), image_);
            std::vector<float> maps(static_cast<std::size_t>(n * size->height * size->width));
            auto done = detail::call([&](an_error *error) {
                return an_model_explain(get(), x.data(), n, &view.c, maps.data(), error);
            });
            if (!done) return done.error();
            return maps;
        });
    }

    Result<Arrays> try_copy_weights() const {
        return detail::create<Arrays>([&](an_arrays **out, an_error *error) {
            return an_model_copy_weights(out, get(), error);
        });
    }
    Result<Arrays> try_copy_gradients() const {
        return detail::create<Arrays>([&](an_arrays **out, an_error *error) {
            return an_model_copy_gradients(out, get(), error);
        });
    }
    Result<void> try_set_weights(const Arrays &arrays) {
        return detail::call(
            [&](an_error *error) { return an_model_set_weights(get(), arrays.get(), error); });
    }
    Result<void> try_reset_head(std::uint32_t seed) {
        return detail::call(
            [&](an_error *error) { return an_model_reset_head(get(), seed, error); });
    }
    /** Name the classes; none removes the names. */
    Result<void> try_set_class_names(const std::vector<std::string> &names) {
        return detail::allocating([&]() -> Result<void> {
            detail::View view;
            const std::vector<const char *> list = view.texts(names);
            if (view.broken) return detail::zero_byte();
            return detail::call([&](an_error *error) {
                return an_model_set_class_names(get(), list.empty() ? nullptr : list.data(),
                                                static_cast<std::int32_t>(list.size()), error);
            });
        });
    }
    std::int32_t class_count() const noexcept { return an_model_class_count(get()); }
    const char *class_name(std::int32_t index) const noexcept {
        return an_model_class_name(get(), index);
    }
    /** Copy on the same backend; AN_COPY_WEIGHTS or AN_SHARE_WEIGHTS. */
    Result<Model> try_copy(std::int32_t weights = AN_COPY_WEIGHTS) const {
        return detail::create<Model>([&](an_model **out, an_error *error) {
            return an_model_copy(out, get(), nullptr, weights, error);
        });
    }
    Result<Model> try_copy(const Backend &backend, std::int32_t weights = AN_COPY_WEIGHTS) const {
        return detail::create<Model>([&](an_model **out, an_error *error) {
            return an_model_copy(out, get(), backend.get(), weights, error);
        });
    }
    Result<void> try_save(Text path) const {
        return detail::call(
            [&](an_error *error) { return an_model_save(get(), path.c_str(), error); });
    }
    Result<void> try_export_to(Text path, const ExportOptions &options = {}) const {
        return detail::call(
            [&](an_error *error) { return an_model_export(get(), path.c_str(), &options, error); });
    }
    Result<Bytes> try_save_bytes() const {
        return detail::create<Bytes>([&](an_bytes **out, an_error *error) {
            return an_model_save_bytes(out, get(), error);
        });
    }
#if ATTRACTIVENET_EXCEPTIONS
    static Model mobilenetv2(const Backend &backend, const MobileNetV2Options &options = {}) {
        return try_mobilenetv2(backend, options).value();
    }
    static Model load(const Backend &backend, Text path) { return try_load(backend, path).value(); }
    static Model load(const Backend &backend, Text path, const MobileNetV2Options &options) {
        return try_load(backend, path, options).value();
    }
    static Model load_bytes(const Backend &backend, Span<const std::uint8_t> bytes,
                            Text name = "in memory") {
        return try_load_bytes(backend, bytes, name).value();
    }
    static Model load_bytes(const Backend &backend, Span<const std::uint8_t> bytes, Text name,
                            const MobileNetV2Options &options) {
        return try_load_bytes(backend, bytes, name, options).value();
    }
    an_model_info describe() const { return try_describe().value(); }
    std::string summary(std::int32_t style = AN_SUMMARY_KERAS) const {
        return try_summary(style).value();
    }
    void set_cancel(const Cancel &cancel) { try_set_cancel(cancel).value(); }
    void set_base(std::int32_t base) { try_set_base(base).value(); }
    void set_training(std::int32_t precision, bool recompute) {
        try_set_training(precision, recompute).value();
    }
    void set_momentum(double momentum) { try_set_momentum(momentum).value(); }
    void predict(Span<const float> x, Span<float> y) const { try_predict(x, y).value(); }
    std::vector<float> predict(Span<const float> x) const { return try_predict(x).value(); }
    std::vector<float> predict(const Loader &loader, const Progress &progress = {}) const {
        return try_predict(loader, progress).value();
    }
    void compute_features(Span<const float> x, Span<float> features) const {
        try_compute_features(x, features).value();
    }
    std::vector<float> compute_features(Span<const float> x) const {
        return try_compute_features(x).value();
    }
    std::vector<float> compute_features(const Loader &loader, const Progress &progress = {}) const {
        return try_compute_features(loader, progress).value();
    }
    void predict_from_features(Span<const float> features, Span<float> y) const {
        try_predict_from_features(features, y).value();
    }
    std::vector<float> predict_from_features(Span<const float> features) const {
        return try_predict_from_features(features).value();
    }
    double evaluate(const Loader &loader, const LossOptions &loss = {},
                    const Progress &progress = {}) const {
        return try_evaluate(loader, loss, progress).value();
    }
    double compute_gradients(Span<const float> x, Span<const float> y,
                             const LossOptions &loss = {}) {
        return try_compute_gradients(x, y, loss).value();
    }
    double compute_head_gradients(Span<const float> features, Span<const float> y,
                                  const LossOptions &loss = {}) {
        return try_compute_head_gradients(features, y, loss).value();
    }
    an_head_report fit_head(Span<const float> features, Span<const float> targets,
                            const HeadOptions &options = {}, Span<const float> weights = {},
                            Span<const float> val_features = {},
                            Span<const float> val_targets = {}) {
        return try_fit_head(features, targets, options, weights, val_features, val_targets).value();
    }
    void set_intervals(double level, Span<const double> half_widths) {
        try_set_intervals(level, half_widths).value();
    }
    void update_batch_norm_begin() { try_update_batch_norm_begin().value(); }
    void update_batch_norm_add(Span<const float> x) { try_update_batch_norm_add(x).value(); }
    void update_batch_norm_end() { try_update_batch_norm_end().value(); }
    void calibrate_begin() { try_calibrate_begin().value(); }
    void calibrate_add(Span<const float> x) { try_calibrate_add(x).value(); }
    void calibrate_end() { try_calibrate_end().value(); }
    void calibrate(const Loader &loader, std::int64_t images = 0, const Progress &progress = {}) {
        try_calibrate(loader, images, progress).value();
    }
    void set_inference(std::int32_t inference) { try_set_inference(inference).value(); }
    Arrays copy_weights() const { return try_copy_weights().value(); }
    Arrays copy_gradients() const { return try_copy_gradients().value(); }
    void set_weights(const Arrays &arrays) { try_set_weights(arrays).value(); }
    void reset_head(std::uint32_t seed) { try_reset_head(seed).value(); }
    void set_class_names(const std::vector<std::string> &names) {
        try_set_class_names(names).value();
    }
    Model copy(std::int32_t weights = AN_COPY_WEIGHTS) const { return try_copy(weights).value(); }
    Model copy(const Backend &backend, std::int32_t weights = AN_COPY_WEIGHTS) const {
        return try_copy(backend, weights).value();
    }
    Size explain_size(const std::optional<std::string> &layer = {}) const {
        return try_explain_size(layer).value();
    }
    std::vector<float> explain(Span<const float> x, const ExplainOptions &options = {}) {
        return try_explain(x, options).value();
    }
    void save(Text path) const { try_save(path).value(); }
    void export_to(Text path, const ExportOptions &options = {}) const {
        try_export_to(path, options).value();
    }
    Bytes save_bytes() const { return try_save_bytes().value(); }
#endif

    /* For Predictor. */
    std::int64_t outputs_of_image() const noexcept { return outputs_; }
    std::int64_t features_of_image() const noexcept { return features_; }

  private:
    using Apply = an_status (*)(an_model *, const float *, std::int64_t, float *, an_error *);
    Result<void> apply(Apply fn, const char *in_name, Span<const float> in, std::int64_t in_width,
                       const char *out_name, Span<float> out, std::int64_t out_width) const {
        const std::int64_t n = detail::rows(in.size(), in_width);
        if (n < 0) return detail::not_rows(in_name, in.size(), in_width);
        if (!detail::is(out.size(), n * out_width))
            return detail::wrong(out_name, out.size(), n * out_width);
        return detail::call(
            [&](an_error *error) { return fn(get(), in.data(), n, out.data(), error); });
    }
    Result<std::vector<float>> apply(Apply fn, const char *in_name, Span<const float> in,
                                     std::int64_t in_width, const char *out_name,
                                     std::int64_t out_width) const {
        return detail::allocating([&]() -> Result<std::vector<float>> {
            const std::int64_t n = detail::rows(in.size(), in_width);
            if (n < 0) return detail::not_rows(in_name, in.size(), in_width);
            std::vector<float> out(static_cast<std::size_t>(n * out_width));
            auto done = apply(fn, in_name, in, in_width, out_name, out, out_width);
            if (!done) return done.error();
            return out;
        });
    }
    using Read = an_status (*)(an_model *, an_loader *, float *, an_progress_fn, void *,
                               an_error *);
    Result<std::vector<float>> read(Read fn, const Loader &loader, std::int64_t width,
                                    const Progress &progress) const {
        return detail::allocating([&]() -> Result<std::vector<float>> {
            std::vector<float> out(static_cast<std::size_t>(loader.samples() * width));
            auto done = detail::call([&](an_error *error) {
                return fn(get(), loader.get(), out.data(), detail::function_of(progress),
                          detail::user_of(progress), error);
            });
            if (!done) return done.error();
            return out;
        });
    }
    Result<void> head_samples(an_head_samples &out, Span<const float> features,
                              Span<const float> targets, Span<const float> weights) const {
        const std::int64_t n = detail::rows(features.size(), features_);
        if (n < 0) return detail::not_rows("features", features.size(), features_);
        if (!detail::is(targets.size(), n * outputs_))
            return detail::wrong("targets", targets.size(), n * outputs_);
        if (!weights.empty() && !detail::is(weights.size(), n))
            return detail::wrong("weights", weights.size(), n);
        an_head_samples_init(&out, sizeof out);
        out.n = n;
        out.features = features.data();
        out.targets = targets.data();
        out.weights = weights.empty() ? nullptr : weights.data();
        return {};
    }
    using Gradients = an_status (*)(an_model *, const float *, const float *, std::int64_t,
                                    const an_loss_options *, double *, an_error *);
    Result<double> gradients_of(Gradients fn, const char *in_name, Span<const float> in,
                                std::int64_t in_width, Span<const float> y,
                                const LossOptions &loss) {
        const std::int64_t n = detail::rows(in.size(), in_width);
        if (n < 0) return detail::not_rows(in_name, in.size(), in_width);
        if (!detail::is(y.size(), n * outputs_)) return detail::wrong("y", y.size(), n * outputs_);
        if (!loss.weights.empty() && !detail::is(loss.weights.size(), n))
            return detail::wrong("weights", loss.weights.size(), n);
        LossOptions::C view(loss);
        double value = 0;
        auto done = detail::call([&](an_error *error) {
            return fn(get(), in.data(), y.data(), n, &view.c, &value, error);
        });
        if (!done) return done.error();
        return value;
    }
    Result<void> add(an_status (*fn)(an_model *, const float *, std::int64_t, an_error *),
                     Span<const float> x) {
        const std::int64_t n = detail::rows(x.size(), image_);
        if (n < 0) return detail::not_rows("x", x.size(), image_);
        return detail::call([&](an_error *error) { return fn(get(), x.data(), n, error); });
    }
    std::int64_t image_ = 0, outputs_ = 0, features_ = 0;
};

/** The parameters of MobileNetV2: all, and those trainable in AN_BASE_TRAIN. */
struct ParameterCount {
    std::int64_t all = 0, trainable = 0;
};
inline Result<ParameterCount> try_mobilenetv2_count_parameters(double alpha, std::int32_t outputs) {
    ParameterCount count;
    auto done = detail::call([&](an_error *error) {
        return an_mobilenetv2_count_parameters(alpha, outputs, &count.all, &count.trainable, error);
    });
    if (!done) return done.error();
    return count;
}

/* Single layers on tensors. A gradient may be NULL if it is not needed. */

struct ConvOptions : an_conv_options {
    ConvOptions() { an_conv_options_init(this, sizeof(an_conv_options)); }
};

namespace detail {
inline an_tensor *raw(Tensor *tensor) noexcept { return tensor ? tensor->get() : nullptr; }
} // namespace detail

inline Result<void> try_conv_forward(const Backend &backend, const ConvOptions &options,
                                     const Tensor &x, const Tensor &w, Tensor &y) {
    return detail::call([&](an_error *error) {
        return an_conv_forward(backend.get(), &options, x.get(), w.get(), y.get(), error);
    });
}
inline Result<void> try_conv_backward(const Backend &backend, const ConvOptions &options,
                                      const Tensor &x, const Tensor &w, const Tensor &dy,
                                      Tensor *dx, Tensor *dw) {
    return detail::call([&](an_error *error) {
        return an_conv_backward(backend.get(), &options, x.get(), w.get(), dy.get(),
                                detail::raw(dx), detail::raw(dw), error);
    });
}
inline Result<void> try_batch_norm_forward(const Backend &backend, const Tensor &x,
                                           const Tensor &gamma, const Tensor &beta, Tensor &mean,
                                           Tensor &variance, double momentum, bool training,
                                           Tensor &y) {
    return detail::call([&](an_error *error) {
        return an_batch_norm_forward(backend.get(), x.get(), gamma.get(), beta.get(), mean.get(),
                                     variance.get(), momentum, training, y.get(), error);
    });
}
inline Result<void> try_batch_norm_backward(const Backend &backend, const Tensor &x,
                                            const Tensor &gamma, const Tensor &mean,
                                            const Tensor &variance, bool training, const Tensor &dy,
                                            Tensor *dx, Tensor *dgamma, Tensor *dbeta) {
    return detail::call([&](an_error *error) {
        return an_batch_norm_backward(backend.get(), x.get(), gamma.get(), mean.get(),
                                      variance.get(), training, dy.get(), detail::raw(dx),
                                      detail::raw(dgamma), detail::raw(dbeta), error);
    });
}
inline Result<void> try_relu6_forward(const Backend &backend, const Tensor &x, Tensor &y) {
    return detail::call(
        [&](an_error *error) { return an_relu6_forward(backend.get(), x.get(), y.get(), error); });
}
inline Result<void> try_relu6_backward(const Backend &backend, const Tensor &x, const Tensor &dy,
                                       Tensor &dx) {
    return detail::call([&](an_error *error) {
        return an_relu6_backward(backend.get(), x.get(), dy.get(), dx.get(), error);
    });
}
inline Result<void> try_add_forward(const Backend &backend, const Tensor &a, const Tensor &b,
                                    Tensor &y) {
    return detail::call([&](an_error *error) {
        return an_add_forward(backend.get(), a.get(), b.get(), y.get(), error);
    });
}
inline Result<void> try_pool_forward(const Backend &backend, const Tensor &x, Tensor &y) {
    return detail::call(
        [&](an_error *error) { return an_pool_forward(backend.get(), x.get(), y.get(), error); });
}
inline Result<void> try_pool_backward(const Backend &backend, const Tensor &dy, Tensor &dx) {
    return detail::call([&](an_error *error) {
        return an_pool_backward(backend.get(), dy.get(), dx.get(), error);
    });
}
inline Result<void> try_dense_forward(const Backend &backend, const Tensor &x, const Tensor &w,
                                      const Tensor &b, Tensor &y) {
    return detail::call([&](an_error *error) {
        return an_dense_forward(backend.get(), x.get(), w.get(), b.get(), y.get(), error);
    });
}
inline Result<void> try_dense_backward(const Backend &backend, const Tensor &x, const Tensor &w,
                                       const Tensor &dy, Tensor *dx, Tensor *dw, Tensor *db) {
    return detail::call([&](an_error *error) {
        return an_dense_backward(backend.get(), x.get(), w.get(), dy.get(), detail::raw(dx),
                                 detail::raw(dw), detail::raw(db), error);
    });
}
/** The loss; weights: NULL = 1 each. */
inline Result<double> try_loss_compute(const Backend &backend, std::int32_t kind,
                                       const Tensor &prediction, const Tensor &target,
                                       const Tensor *weights = nullptr,
                                       Tensor *gradient = nullptr) {
    double loss = 0;
    auto done = detail::call([&](an_error *error) {
        return an_loss_compute(backend.get(), kind, prediction.get(), target.get(),
                               weights ? weights->get() : nullptr, &loss, detail::raw(gradient),
                               error);
    });
    if (!done) return done.error();
    return loss;
}

#if ATTRACTIVENET_EXCEPTIONS
inline ParameterCount mobilenetv2_count_parameters(double alpha, std::int32_t outputs) {
    return try_mobilenetv2_count_parameters(alpha, outputs).value();
}
inline void conv_forward(const Backend &backend, const ConvOptions &options, const Tensor &x,
                         const Tensor &w, Tensor &y) {
    try_conv_forward(backend, options, x, w, y).value();
}
inline void conv_backward(const Backend &backend, const ConvOptions &options, const Tensor &x,
                          const Tensor &w, const Tensor &dy, Tensor *dx, Tensor *dw) {
    try_conv_backward(backend, options, x, w, dy, dx, dw).value();
}
inline void batch_norm_forward(const Backend &backend, const Tensor &x, const Tensor &gamma,
                               const Tensor &beta, Tensor &mean, Tensor &variance, double momentum,
                               bool training, Tensor &y) {
    try_batch_norm_forward(backend, x, gamma, beta, mean, variance, momentum, training, y).value();
}
inline void batch_norm_backward(const Backend &backend, const Tensor &x, const Tensor &gamma,
                                const Tensor &mean, const Tensor &variance, bool training,
                                const Tensor &dy, Tensor *dx, Tensor *dgamma, Tensor *dbeta) {
    try_batch_norm_backward(backend, x, gamma, mean, variance, training, dy, dx, dgamma, dbeta)
        .value();
}
inline void relu6_forward(const Backend &backend, const Tensor &x, Tensor &y) {
    try_relu6_forward(backend, x, y).value();
}
inline void relu6_backward(const Backend &backend, const Tensor &x, const Tensor &dy, Tensor &dx) {
    try_relu6_backward(backend, x, dy, dx).value();
}
inline void add_forward(const Backend &backend, const Tensor &a, const Tensor &b, Tensor &y) {
    try_add_forward(backend, a, b, y).value();
}
inline void pool_forward(const Backend &backend, const Tensor &x, Tensor &y) {
    try_pool_forward(backend, x, y).value();
}
inline void pool_backward(const Backend &backend, const Tensor &dy, Tensor &dx) {
    try_pool_backward(backend, dy, dx).value();
}
inline void dense_forward(const Backend &backend, const Tensor &x, const Tensor &w, const Tensor &b,
                          Tensor &y) {
    try_dense_forward(backend, x, w, b, y).value();
}
inline void dense_backward(const Backend &backend, const Tensor &x, const Tensor &w,
                           const Tensor &dy, Tensor *dx, Tensor *dw, Tensor *db) {
    try_dense_backward(backend, x, w, dy, dx, dw, db).value();
}
inline double loss_compute(const Backend &backend, std::int32_t kind, const Tensor &prediction,
                           const Tensor &target, const Tensor *weights = nullptr,
                           Tensor *gradient = nullptr) {
    return try_loss_compute(backend, kind, prediction, target, weights, gradient).value();
}
#endif

/* --- optim.h ---------------------------------------------------------------------------------- */

struct OptimizerOptions : an_optimizer_options {
    OptimizerOptions() { an_optimizer_options_init(this, sizeof(an_optimizer_options)); }
};

/** An optimizer for one model, with its moments, for loops without a Trainer. */
class Optimizer : public detail::Handle<an_optimizer, an_optimizer_destroy> {
  public:
    using Handle::Handle;
    static Result<Optimizer> try_create(const Model &model, const OptimizerOptions &options = {}) {
        return detail::create<Optimizer>([&](an_optimizer **out, an_error *error) {
            return an_optimizer_create(out, model.get(), &options, error);
        });
    }
    Result<void> try_step(double learning_rate) {
        return detail::call(
            [&](an_error *error) { return an_optimizer_step(get(), learning_rate, error); });
    }
    std::int64_t steps() const noexcept { return an_optimizer_steps(get()); }
#if ATTRACTIVENET_EXCEPTIONS
    static Optimizer create(const Model &model, const OptimizerOptions &options = {}) {
        return try_create(model, options).value();
    }
    void step(double learning_rate) { try_step(learning_rate).value(); }
#endif
};

/** One step on plain arrays of one size. v may be empty for SGD. */
inline Result<void> try_optimizer_apply(const OptimizerOptions &options, std::int64_t step,
                                        double learning_rate, Span<float> parameters,
                                        Span<const float> gradients, Span<float> m, Span<float> v) {
    const std::int64_t count = detail::signed_size(parameters.size());
    if (gradients.size() != parameters.size())
        return detail::wrong("gradients", gradients.size(), count);
    if (m.size() != parameters.size()) return detail::wrong("m", m.size(), count);
    if (v.size() != parameters.size() && !(v.empty() && options.kind == AN_OPTIM_SGD))
        return detail::wrong("v", v.size(), count);
    return detail::call([&](an_error *error) {
        return an_optimizer_apply(&options, step, learning_rate, count, parameters.data(),
                                  gradients.data(), m.data(), v.empty() ? nullptr : v.data(),
                                  error);
    });
}

struct ScheduleOptions : an_schedule_options {
    ScheduleOptions() { an_schedule_options_init(this, sizeof(an_schedule_options)); }
    /** The learning rate of a step; NaN if an option is out of range. */
    double rate(double base, std::int64_t step) const noexcept {
        return an_schedule_rate(this, base, step);
    }
};

#if ATTRACTIVENET_EXCEPTIONS
inline void optimizer_apply(const OptimizerOptions &options, std::int64_t step,
                            double learning_rate, Span<float> parameters,
                            Span<const float> gradients, Span<float> m, Span<float> v) {
    try_optimizer_apply(options, step, learning_rate, parameters, gradients, m, v).value();
}
#endif

/* --- train.h ---------------------------------------------------------------------------------- */

/** The epochs of a run. */
class History : public detail::Handle<an_history, an_history_destroy> {
  public:
    using Handle::Handle;
    static Result<History> try_create() { return detail::create<History>(an_history_create); }
    static Result<History> try_read_csv(Text path) {
        return detail::create<History>([&](an_history **out, an_error *error) {
            return an_history_read_csv(out, path.c_str(), error);
        });
    }
    std::int64_t count() const noexcept { return an_history_count(get()); }
    Result<an_epoch_report> try_epoch(std::int64_t index) const {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        auto done = detail::call(
            [&](an_error *error) { return an_history_copy_epoch(get(), index, &report, error); });
        if (!done) return done.error();
        return report;
    }
    Result<void> try_append(const an_epoch_report &report) {
        return detail::call(
            [&](an_error *error) { return an_history_append(get(), &report, error); });
    }
    /** A value per epoch: "loss", "val_loss", "rate", ... */
    Result<std::vector<double>> try_column(Text name) const {
        return detail::allocating([&]() -> Result<std::vector<double>> {
            /* one more, so that there is a pointer for a history without epochs */
            std::vector<double> values(static_cast<std::size_t>(count()) + 1);
            auto done = detail::call([&](an_error *error) {
                return an_history_copy_column(get(), name.c_str(), values.data(), error);
            });
            if (!done) return done.error();
            values.pop_back();
            return values;
        });
    }
    Result<void> try_write_csv(Text path) const {
        return detail::call(
            [&](an_error *error) { return an_history_write_csv(get(), path.c_str(), error); });
    }
#if ATTRACTIVENET_EXCEPTIONS
    static History create() { return try_create().value(); }
    static History read_csv(Text path) { return try_read_csv(path).value(); }
    an_epoch_report epoch(std::int64_t index) const { return try_epoch(index).value(); }
    void append(const an_epoch_report &report) { try_append(report).value(); }
    std::vector<double> column(Text name) const { return try_column(name).value(); }
    void write_csv(Text path) const { try_write_csv(path).value(); }
#endif
};

struct EarlyStopping : an_early_stopping {
    explicit EarlyStopping(double delta = 0, std::int32_t epochs = 0) {
        an_early_stopping_init(this, sizeof(an_early_stopping), delta, epochs);
    }
    /** A sum of AN_EARLY_KEEP and AN_EARLY_STOP. */
    std::int32_t update(std::int32_t epoch, double value) noexcept {
        return an_early_stopping_update(this, epoch, value);
    }
};

struct BestCheckpoint : an_best_checkpoint {
    explicit BestCheckpoint(bool best_only = true) {
        an_best_checkpoint_init(this, sizeof(an_best_checkpoint), best_only);
    }
    /** Whether to save after an epoch with this value. */
    bool update(double value) noexcept { return an_best_checkpoint_update(this, value) != 0; }
};

struct ReduceRate : an_reduce_rate {
    ReduceRate(double times, std::int32_t epochs) {
        an_reduce_rate_init(this, sizeof(an_reduce_rate), times, epochs);
    }
    /** The new learning rate. */
    double update(double value, double rate) noexcept {
        return an_reduce_rate_update(this, value, rate);
    }
};

struct TrainOptions : an_train_options {
    TrainOptions() { an_train_options_init(this, sizeof(an_train_options)); }
    std::optional<OptimizerOptions> optimizer;
    std::optional<ScheduleOptions> schedule;
    std::optional<HeadOptions> head; /* set: in closed form */
    std::optional<std::string> checkpoint_path, resume_path, csv_path, tensorboard_dir;
    LossFn loss_fn;
    OnEvent on_event;
    OnText text;
    Warn warn;
    struct C : detail::View {
        explicit C(const TrainOptions &o) : c(o) {
            c.optimizer = o.optimizer ? &*o.optimizer : nullptr;
            c.schedule = o.schedule ? &*o.schedule : nullptr;
            c.head = o.head ? &*o.head : nullptr;
            c.checkpoint_path = text(o.checkpoint_path);
            c.resume_path = text(o.resume_path);
            c.csv_path = text(o.csv_path);
            c.tensorboard_dir = text(o.tensorboard_dir);
            detail::attach(c.loss_fn, c.loss_user, o.loss_fn);
            detail::attach(c.on_event, c.event_user, o.on_event);
            c.text = o.text ? &detail::invoke_text : nullptr;
            c.text_user = const_cast<OnText *>(&o.text);
            detail::attach(c.warn, c.warn_user, o.warn);
        }
        an_train_options c;
    };
};

/** Fill in the options of a stage by a recipe, AN_RECIPE_*; augment may be NULL. Returns the
 * momentum for Model::set_momentum(). */
inline Result<double> try_recipe_fill(std::int32_t kind, std::int32_t stage, bool pretrained,
                                      TrainOptions &train, AugmentOptions *augment = nullptr) {
    an_recipe recipe;
    double momentum = 0;
    HeadOptions head;
    OptimizerOptions optimizer;
    ScheduleOptions schedule;
    an_train_options &c = train;
    an_recipe_init(&recipe, sizeof recipe);
    recipe.kind = kind;
    recipe.stage = stage;
    recipe.pretrained = pretrained;
    recipe.momentum = &momentum;
    recipe.train = &train;
    recipe.head = &head;
    recipe.optimizer = &optimizer;
    recipe.schedule = &schedule;
    recipe.augment = augment;
    auto done = detail::call([&](an_error *error) { return an_recipe_fill(&recipe, error); });
    if (!done) return done.error();
    train.head = c.head ? std::optional<HeadOptions>(head) : std::nullopt;
    train.optimizer = c.optimizer ? std::optional<OptimizerOptions>(optimizer) : std::nullopt;
    train.schedule = c.schedule ? std::optional<ScheduleOptions>(schedule) : std::nullopt;
    c.head = nullptr;
    c.optimizer = nullptr;
    c.schedule = nullptr;
    return momentum;
}

/** A lock on the files of a run. */
class RunLock : public detail::Handle<an_run_lock, an_run_lock_destroy> {
  public:
    using Handle::Handle;
    static Result<RunLock> try_create(Text path) {
        return detail::create<RunLock>([&](an_run_lock **out, an_error *error) {
            return an_run_lock_create(out, path.c_str(), error);
        });
    }
#if ATTRACTIVENET_EXCEPTIONS
    static RunLock create(Text path) { return try_create(path).value(); }
#endif
};

/** The state of a run, read from its checkpoint files. */
class Checkpoint : public detail::Handle<an_checkpoint, an_checkpoint_destroy> {
  public:
    using Handle::Handle;
    /** The newest checkpoint; an empty handle if there is none. */
    static Result<Checkpoint> try_read(Text path, const Warn &warn = {}) {
        return detail::create<Checkpoint>([&](an_checkpoint **out, an_error *error) {
            return an_checkpoint_read(out, path.c_str(), detail::function_of(warn),
                                      detail::user_of(warn), error);
        });
    }
    static Result<void> try_remove(Text path) {
        return detail::call(
            [&](an_error *error) { return an_checkpoint_remove(path.c_str(), error); });
    }
    Result<an_checkpoint_info> try_describe() const {
        an_checkpoint_info info;
        an_checkpoint_info_init(&info, sizeof info);
        auto done = detail::call(
            [&](an_error *error) { return an_checkpoint_describe(get(), &info, error); });
        if (!done) return done.error();
        return info;
    }
#if ATTRACTIVENET_EXCEPTIONS
    static Checkpoint read(Text path, const Warn &warn = {}) {
        return try_read(path, warn).value();
    }
    static void remove(Text path) { try_remove(path).value(); }
    an_checkpoint_info describe() const { return try_describe().value(); }
#endif
};

/** One stage of training. */
class Trainer : public detail::Handle<an_trainer, an_trainer_destroy> {
  public:
    using Handle::Handle;
    /** val and history may be NULL. The options are copied, with their callbacks. */
    static Result<Trainer> try_create(const Model &model, const Loader &train,
                                      const Loader *val = nullptr, const History *history = nullptr,
                                      const TrainOptions &options = {}) {
        return detail::allocating([&]() -> Result<Trainer> {
            struct Kept { /* what the trainer and its loaders may call */
                TrainOptions options;
                std::shared_ptr<const void> train, val;
            };
            auto kept = std::make_shared<const Kept>(
                Kept{options, train.kept(), val ? val->kept() : std::shared_ptr<const void>()});
            TrainOptions::C view(kept->options);
            if (view.broken) return detail::zero_byte();
            auto made = detail::create<Trainer>([&](an_trainer **out, an_error *error) {
                return an_trainer_create(out, model.get(), train.get(), val ? val->get() : nullptr,
                                         history ? history->get() : nullptr, &view.c, error);
            });
            if (made) made->keep(std::move(kept));
            return made;
        });
    }
    /** Run an epoch; nothing if the run has ended before. */
    Result<std::optional<an_epoch_report>> try_run_epoch() {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        auto done = detail::call_status(
            [&](an_error *error) { return an_trainer_run_epoch(get(), &report, error); });
        if (!done) return done.error();
        if (*done == AN_DONE) return std::optional<an_epoch_report>();
        return std::optional<an_epoch_report>(report);
    }
    /** Run epochs until the end of the run. */
    Result<void> try_run() {
        return detail::call([&](an_error *error) { return an_trainer_run(get(), error); });
    }
    void stop() const noexcept { an_trainer_stop(get()); }
    void pause() const noexcept { an_trainer_pause(get()); }
    double learning_rate() const noexcept { return an_trainer_learning_rate(get()); }
    Result<void> try_set_learning_rate(double rate) {
        return detail::call(
            [&](an_error *error) { return an_trainer_set_learning_rate(get(), rate, error); });
    }
    std::int32_t reason() const noexcept { return an_trainer_reason(get()); }
    double best() const noexcept { return an_trainer_best(get()); }
    double checkpoint_best() const noexcept { return an_trainer_checkpoint_best(get()); }
    Result<void> try_resume(const Checkpoint &checkpoint) {
        return detail::call(
            [&](an_error *error) { return an_trainer_resume(get(), checkpoint.get(), error); });
    }
#if ATTRACTIVENET_EXCEPTIONS
    static Trainer create(const Model &model, const Loader &train, const Loader *val = nullptr,
                          const History *history = nullptr, const TrainOptions &options = {}) {
        return try_create(model, train, val, history, options).value();
    }
    std::optional<an_epoch_report> run_epoch() { return try_run_epoch().value(); }
    void run() { try_run().value(); }
    void set_learning_rate(double rate) { try_set_learning_rate(rate).value(); }
    void resume(const Checkpoint &checkpoint) { try_resume(checkpoint).value(); }
#endif
};

/* --- metrics.h -------------------------------------------------------------------------------- */

namespace detail {
template <class T, class F>
Result<an_metrics> metrics(Span<const double> truth, Span<const T> prediction,
                           Span<const double> weights, F fn) {
    if (prediction.size() != truth.size())
        return wrong("prediction", prediction.size(), signed_size(truth.size()));
    if (!weights.empty() && weights.size() != truth.size())
        return wrong("weights", weights.size(), signed_size(truth.size()));
    an_metrics out;
    an_metrics_init(&out, sizeof out);
    auto done = call([&](an_error *error) {
        return fn(truth.data(), prediction.data(), weights.empty() ? nullptr : weights.data(),
                  signed_size(truth.size()), &out, error);
    });
    if (!done) return done.error();
    return out;
}
} // namespace detail

/** The metrics of pairs; weights: empty = 1 each. */
inline Result<an_metrics> try_metrics(Span<const double> truth, Span<const float> prediction,
                                      Span<const double> weights = {}) {
    return detail::metrics(truth, prediction, weights, an_metrics_compute);
}
inline Result<an_metrics> try_metrics(Span<const double> truth, Span<const double> prediction,
                                      Span<const double> weights = {}) {
    return detail::metrics(truth, prediction, weights, an_metrics_compute_double);
}

/** Half the width of intervals that hold the true value with probability level. */
inline Result<double> try_conformal_half_width(Span<const double> truth,
                                               Span<const float> prediction, double level) {
    if (prediction.size() != truth.size())
        return detail::wrong("prediction", prediction.size(), detail::signed_size(truth.size()));
    double half_width = 0;
    auto done = detail::call([&](an_error *error) {
        return an_conformal_half_width(truth.data(), prediction.data(),
                                       detail::signed_size(truth.size()), level, &half_width,
                                       error);
    });
    if (!done) return done.error();
    return half_width;
}
#if ATTRACTIVENET_EXCEPTIONS
inline double conformal_half_width(Span<const double> truth, Span<const float> prediction,
                                   double level) {
    return try_conformal_half_width(truth, prediction, level).value();
}
#endif

struct PlotOptions : an_plot_options {
    PlotOptions() { an_plot_options_init(this, sizeof(an_plot_options)); }
    std::optional<std::string> title, x_label, y_label;
    struct C : detail::View {
        explicit C(const PlotOptions &o) : c(o) {
            c.title = text(o.title);
            c.x_label = text(o.x_label);
            c.y_label = text(o.y_label);
        }
        an_plot_options c;
    };
};

/** One line of a plot. */
struct Curve {
    std::string name;
    std::vector<double> values;
};

/** Plot curves over epochs; marks: where new stages begin. */
inline Result<void> try_plot_curves(Text path, const std::vector<Curve> &curves,
                                    Span<const std::int64_t> marks = {},
                                    const PlotOptions &options = {}) {
    return detail::allocating([&]() -> Result<void> {
        PlotOptions::C view(options);
        std::vector<an_curve> list(curves.size());
        for (std::size_t i = 0; i < list.size(); i++) {
            an_curve_init(&list[i], sizeof list[i]);
            list[i].name = view.text(curves[i].name);
            list[i].values = curves[i].values.data();
            list[i].count = detail::signed_size(curves[i].values.size());
        }
        if (view.broken) return detail::zero_byte();
        return detail::call([&](an_error *error) {
            return an_plot_curves(path.c_str(), list.data(), static_cast<std::int32_t>(list.size()),
                                  marks.empty() ? nullptr : marks.data(),
                                  static_cast<std::int32_t>(marks.size()), &view.c, error);
        });
    });
}

/** Plot predicted against true scores. */
inline Result<void> try_plot_scatter(Text path, Span<const double> truth,
                                     Span<const float> prediction,
                                     const PlotOptions &options = {}) {
    if (prediction.size() != truth.size())
        return detail::wrong("prediction", prediction.size(), detail::signed_size(truth.size()));
    PlotOptions::C view(options);
    if (view.broken) return detail::zero_byte();
    return detail::call([&](an_error *error) {
        return an_plot_scatter(path.c_str(), truth.data(), prediction.data(),
                               detail::signed_size(truth.size()), &view.c, error);
    });
}

#if ATTRACTIVENET_EXCEPTIONS
inline an_metrics metrics(Span<const double> truth, Span<const float> prediction,
                          Span<const double> weights = {}) {
    return try_metrics(truth, prediction, weights).value();
}
inline an_metrics metrics(Span<const double> truth, Span<const double> prediction,
                          Span<const double> weights = {}) {
    return try_metrics(truth, prediction, weights).value();
}
inline void plot_curves(Text path, const std::vector<Curve> &curves,
                        Span<const std::int64_t> marks = {}, const PlotOptions &options = {}) {
    try_plot_curves(path, curves, marks, options).value();
}
inline void plot_scatter(Text path, Span<const double> truth, Span<const float> prediction,
                         const PlotOptions &options = {}) {
    try_plot_scatter(path, truth, prediction, options).value();
}
#endif

/* --- predict.h -------------------------------------------------------------------------------- */

/** Frames of one size, a pixel layout as set by Predictor::set_format(). Strides in bytes; 0 = no
 *  gap. */
struct Frames {
    Span<const std::uint8_t> data;
    std::int64_t count = 1, height = 0, width = 0;
    std::int64_t frame_stride = 0, row_stride = 0;
};

/** A model ready for scoring images. One call at a time; any number of predictors on one model. */
class Predictor : public detail::Handle<an_predictor, an_predictor_destroy> {
  public:
    using Handle::Handle;
    static Result<Predictor> try_create(const Model &model) {
        auto made = detail::create<Predictor>([&](an_predictor **out, an_error *error) {
            return an_predictor_create(out, model.get(), error);
        });
        if (made) {
            made->outputs_ = model.outputs_of_image();
            made->features_ = model.features_of_image();
        }
        return made;
    }
    Result<void> try_set_cancel(const Cancel &cancel) {
        return detail::call(
            [&](an_error *error) { return an_predictor_set_cancel(get(), cancel.get(), error); });
    }
    Result<void> try_set_format(std::int32_t format) {
        auto done = detail::call(
            [&](an_error *error) { return an_predictor_set_format(get(), format, error); });
        if (done) format_ = format;
        return done;
    }
    Result<void> try_set_region(std::int64_t x, std::int64_t y, std::int64_t width,
                                std::int64_t height) {
        return detail::call([&](an_error *error) {
            return an_predictor_set_region(get(), x, y, width, height, error);
        });
    }
    /** Score one frame. scores: [outputs]. */
    Result<void> try_score_frame(Span<const std::uint8_t> frame, std::int64_t height,
                                 std::int64_t width, std::int64_t row_stride, Span<float> scores) {
        Frames frames;
        frames.data = frame;
        frames.height = height;
        frames.width = width;
        frames.row_stride = row_stride;
        auto done = check(frames, "scores", scores, outputs_);
        if (!done) return done;
        return detail::call([&](an_error *error) {
            return an_predictor_score_frame(get(), frame.data(), height, width, row_stride,
                                            scores.data(), error);
        });
    }
    /** Score frames. scores: [count,outputs]. */
    Result<void> try_score_frames(const Frames &frames, Span<float> scores) {
        auto done = check(frames, "scores", scores, outputs_);
        if (!done) return done;
        return detail::call([&](an_error *error) {
            return an_predictor_score_frames(get(), frames.data.data(), frames.count,
                                             frames.frame_stride, frames.height, frames.width,
                                             frames.row_stride, scores.data(), error);
        });
    }
    /** The input of the model's head. features: [count,features]. */
    Result<void> try_compute_features(const Frames &frames, Span<float> features) {
        auto done = check(frames, "features", features, features_);
        if (!done) return done;
        return detail::call([&](an_error *error) {
            return an_predictor_compute_features(get(), frames.data.data(), frames.count,
                                                 frames.frame_stride, frames.height, frames.width,
                                                 frames.row_stride, features.data(), error);
        });
    }
    /** Score an image. scores: [outputs]. */
    Result<void> try_score(const Image &image, Span<float> scores) {
        if (format_ != AN_FORMAT_RGB)
            return Error(AN_ERR_ARG, "an Image is RGB, and the predictor's format is another one");
        return try_score_frame(image.data(), image.height(), image.width(), 0, scores);
    }
    Result<void> try_score_file(Text path, Span<float> scores) {
        if (get() && !detail::is(scores.size(), outputs_))
            return detail::wrong("scores", scores.size(), outputs_);
        return detail::call([&](an_error *error) {
            return an_predictor_score_file(get(), path.c_str(), scores.data(), error);
        });
    }
    /** Score an encoded image; name: for messages. */
    Result<void> try_score_bytes(Span<const std::uint8_t> bytes, Text name, Span<float> scores) {
        if (get() && !detail::is(scores.size(), outputs_))
            return detail::wrong("scores", scores.size(), outputs_);
        return detail::call([&](an_error *error) {
            return an_predictor_score_bytes(get(), bytes.data(), detail::signed_size(bytes.size()),
                                            name.c_str(), scores.data(), error);
        });
    }
    /** Numbers per image. */
    std::int64_t outputs() const noexcept { return outputs_; }
#if ATTRACTIVENET_EXCEPTIONS
    static Predictor create(const Model &model) { return try_create(model).value(); }
    void set_cancel(const Cancel &cancel) { try_set_cancel(cancel).value(); }
    void set_format(std::int32_t format) { try_set_format(format).value(); }
    void set_region(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height) {
        try_set_region(x, y, width, height).value();
    }
    void score_frame(Span<const std::uint8_t> frame, std::int64_t height, std::int64_t width,
                     std::int64_t row_stride, Span<float> scores) {
        try_score_frame(frame, height, width, row_stride, scores).value();
    }
    void score_frames(const Frames &frames, Span<float> scores) {
        try_score_frames(frames, scores).value();
    }
    void compute_features(const Frames &frames, Span<float> features) {
        try_compute_features(frames, features).value();
    }
    void score(const Image &image, Span<float> scores) { try_score(image, scores).value(); }
    /** The scores [outputs] of an image, a file or an encoded image. */
    std::vector<float> score(const Image &image) {
        std::vector<float> scores(static_cast<std::size_t>(outputs_));
        score(image, scores);
        return scores;
    }
    void score_file(Text path, Span<float> scores) { try_score_file(path, scores).value(); }
    std::vector<float> score_file(Text path) {
        std::vector<float> scores(static_cast<std::size_t>(outputs_));
        score_file(path, scores);
        return scores;
    }
    void score_bytes(Span<const std::uint8_t> bytes, Text name, Span<float> scores) {
        try_score_bytes(bytes, name, scores).value();
    }
    std::vector<float> score_bytes(Span<const std::uint8_t> bytes, Text name = "in memory") {
        std::vector<float> scores(static_cast<std::size_t>(outputs_));
        score_bytes(bytes, name, scores);
        return scores;
    }
#endif

  private:
    /* Bytes of a row of pixels, and rows in memory, of a frame; -1 if they cannot be. */
    std::int64_t row_bytes(std::int64_t width) const noexcept {
        switch (format_) {
        case AN_FORMAT_RGBA:
        case AN_FORMAT_BGRA:
            return detail::product(width, 4);
        case AN_FORMAT_GREY:
        case AN_FORMAT_NV12:
            return width;
        case AN_FORMAT_YUYV:
            return detail::product(width, 2);
        default:
            return detail::product(width, 3);
        }
    }
    Result<void> check(const Frames &frames, const char *name, Span<float> out,
                       std::int64_t width) const {
        if (!get() || frames.count < 1 || frames.height < 1 || frames.width < 1)
            return {}; /* the call says it */
        const std::int64_t lines =
            format_ == AN_FORMAT_NV12 ? frames.height + frames.height / 2 : frames.height;
        const std::int64_t bytes = row_bytes(frames.width);
        const std::int64_t row = frames.row_stride ? frames.row_stride : bytes;
        const std::int64_t frame =
            frames.frame_stride ? frames.frame_stride : detail::product(lines, row);
        const std::int64_t before = detail::product(frames.count - 1, frame);
        const std::int64_t above = detail::product(lines - 1, row);
        if (before < 0 || above < 0 || bytes < 0 ||
            frames.data.size() < static_cast<std::size_t>(before) +
                                     static_cast<std::size_t>(above) +
                                     static_cast<std::size_t>(bytes))
            return Error(AN_ERR_ARG,
                         "the frames are smaller than count, height, width and the strides say");
        const std::int64_t expected = detail::product(frames.count, width);
        if (!detail::is(out.size(), expected)) return detail::wrong(name, out.size(), expected);
        return {};
    }
    std::int64_t outputs_ = 0, features_ = 0;
    std::int32_t format_ = AN_FORMAT_RGB;
};

/** The k classes with the highest scores, highest first. */
inline Result<std::vector<std::int32_t>> try_top_classes(Span<const float> scores, std::int32_t k) {
    return detail::allocating([&]() -> Result<std::vector<std::int32_t>> {
        std::vector<std::int32_t> classes(static_cast<std::size_t>(k < 0 ? 0 : k));
        auto done = detail::call([&](an_error *error) {
            return an_top_classes(scores.data(), static_cast<std::int32_t>(scores.size()), k,
                                  classes.data(), error);
        });
        if (!done) return done.error();
        return classes;
    });
}
#if ATTRACTIVENET_EXCEPTIONS
inline std::vector<std::int32_t> top_classes(Span<const float> scores, std::int32_t k) {
    return try_top_classes(scores, k).value();
}
#endif

/* --- live.h ----------------------------------------------------------------------------------- */

struct SourceOptions : an_source_options {
    SourceOptions() { an_source_options_init(this, sizeof(an_source_options)); }
    std::optional<std::string> camera_format;
    struct C : detail::View {
        explicit C(const SourceOptions &o) : c(o) { c.camera_format = text(o.camera_format); }
        an_source_options c;
    };
};

/** Frames of a camera, video, stream, folder or pipe. One call at a time. */
class Source : public detail::Handle<an_source, an_source_close> {
  public:
    using Handle::Handle;
    static Result<Source> try_open(Text name, const SourceOptions &options = {}) {
        SourceOptions::C view(options);
        if (view.broken) return detail::zero_byte();
        return detail::create<Source>([&](an_source **out, an_error *error) {
            return an_source_open(out, name.c_str(), &view.c, error);
        });
    }
    /** The next frame, whose pixels are borrowed until the next call; nothing at the end. */
    Result<std::optional<an_frame>> try_next() {
        an_frame frame;
        an_frame_init(&frame, sizeof(frame));
        auto done = detail::call_status(
            [&](an_error *error) { return an_source_next(get(), &frame, error); });
        if (!done) return done.error();
        if (*done == AN_DONE) return std::optional<an_frame>();
        return std::optional<an_frame>(frame);
    }
    /** The text is borrowed from the source. */
    Result<an_source_info> try_describe() const {
        an_source_info info;
        an_source_info_init(&info, sizeof(info));
        auto done =
            detail::call([&](an_error *error) { return an_source_describe(get(), &info, error); });
        if (!done) return done.error();
        return info;
    }
#if ATTRACTIVENET_EXCEPTIONS
    static Source open(Text name, const SourceOptions &options = {}) {
        return try_open(name, options).value();
    }
    std::optional<an_frame> next() { return try_next().value(); }
    an_source_info describe() const { return try_describe().value(); }
#endif
};

/** Seconds since a frame arrived. */
inline double frame_age(const an_frame &frame) noexcept { return an_frame_age(&frame); }

struct SinkOptions : an_sink_options {
    SinkOptions() { an_sink_options_init(this, sizeof(an_sink_options)); }
    std::optional<std::string> title, save_folder;
    struct C : detail::View {
        explicit C(const SinkOptions &o) : c(o) {
            c.title = text(o.title);
            c.save_folder = text(o.save_folder);
        }
        an_sink_options c;
    };
};

struct Overlay : an_overlay {
    Overlay() { an_overlay_init(this, sizeof(an_overlay)); }
};

/** A window, a folder or a video of scored frames. One call at a time. */
class Sink : public detail::Handle<an_sink, an_sink_close> {
  public:
    using Handle::Handle;
    /** A folder (ends in "/") or a video file. */
    static Result<Sink> try_open(Text path, const SinkOptions &options = {}) {
        if (!path.c_str()) return detail::zero_byte();
        return open_any(path.c_str(), options);
    }
    static Result<Sink> try_open_window(const SinkOptions &options = {}) {
        return open_any(nullptr, options);
    }
    /** True until the user ends the window. overlay: nullptr = the frame as it is. */
    Result<bool> try_show(const an_frame &frame, const Overlay *overlay = nullptr) {
        auto done = detail::call_status(
            [&](an_error *error) { return an_sink_show(get(), &frame, overlay, error); });
        if (!done) return done.error();
        return *done != AN_DONE;
    }
    Result<void> try_finish() {
        return detail::call([&](an_error *error) { return an_sink_finish(get(), error); });
    }
#if ATTRACTIVENET_EXCEPTIONS
    static Sink open(Text path, const SinkOptions &options = {}) {
        return try_open(path, options).value();
    }
    static Sink open_window(const SinkOptions &options = {}) {
        return try_open_window(options).value();
    }
    bool show(const an_frame &frame, const Overlay *overlay = nullptr) {
        return try_show(frame, overlay).value();
    }
    void finish() { try_finish().value(); }
#endif

  private:
    static Result<Sink> open_any(const char *path, const SinkOptions &options) {
        SinkOptions::C view(options);
        if (view.broken) return detail::zero_byte();
        return detail::create<Sink>([&](an_sink **out, an_error *error) {
            return an_sink_open(out, path, &view.c, error);
        });
    }
};
}
} // namespace attractivenet

#endif
