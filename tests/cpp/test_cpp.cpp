/* SPDX-License-Identifier: MIT
 * bindings/cpp/attractivenet.hpp, compiled with and without exceptions: TAP lines, one a case.
 *
 * usage: test_cpp FACES.zip FOLDER    FACES.zip: 40 faces of 64x64; FOLDER: to write into */
#include <attractivenet/attractivenet.hpp>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace net = attractivenet;
using std::int64_t;

namespace {

int failures = 0;
bool good = true;
std::string faces, folder;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            good = false;                                                                          \
            std::printf("# line %d: %s\n", __LINE__, #condition);                                  \
        }                                                                                          \
    } while (0)
#define OK(result)                                                                                 \
    do {                                                                                           \
        const auto &got = (result);                                                                \
        if (!got) {                                                                                \
            good = false;                                                                          \
            std::printf("# line %d: %s: %s\n", __LINE__, #result, got.error().what());             \
        }                                                                                          \
    } while (0)

/* A value that must be there. */
template <class T> T must(net::Result<T> result, int line) {
    if (!result) {
        std::printf("# line %d: %s\nnot ok - a step that the other cases need\n", line,
                    result.error().what());
        std::exit(1);
    }
    return *std::move(result);
}
#define MUST(result) must((result), __LINE__)

bool says(const net::Error &error, an_status status, const char *part) {
    if (error.status() == status && std::strstr(error.what(), part)) return true;
    std::printf("# %s: %s\n", error.name(), error.what());
    return false;
}

std::vector<float> ramp(std::size_t size) {
    std::vector<float> x(size);
    for (std::size_t i = 0; i < size; i++)
        x[i] = static_cast<float>(i % 251) / 251;
    return x;
}

net::Backend backend() {
    net::BackendOptions options;
    options.threads = 2;
    return MUST(net::Backend::try_create(options));
}

net::Model small_model(const net::Backend &on) {
    net::MobileNetV2Options options;
    options.height = options.width = 64;
    options.alpha = 0.35;
    return MUST(net::Model::try_mobilenetv2(on, options));
}

net::Dataset small_faces() {
    net::DatasetOptions options;
    options.height = options.width = 64;
    return MUST(net::Dataset::try_open(faces, options));
}

struct Run { /* what a short training needs */
    net::Backend cpu = backend();
    net::Model model = small_model(cpu);
    net::Dataset data = small_faces();
    net::Split split = MUST(net::try_tutorial_split(data.count()));
    net::Loader train, val, test;
    net::TrainOptions options;
    Run() {
        net::LoaderOptions batches;
        batches.batch_size = 8;
        val = MUST(net::Loader::try_create(data, split.val, batches));
        test = MUST(net::Loader::try_create(data, split.test, batches));
        batches.shuffle = 1;
        batches.augment = net::AugmentOptions::tutorial();
        train = MUST(net::Loader::try_create(data, split.train, batches));
        options.base = AN_BASE_TRAIN;
        options.max_epochs = 2;
    }
};

void versions() {
    CHECK(std::string(net::version()) == an_version());
    CHECK(net::abi() == an_abi());
    CHECK(!net::has_feature("telepathy"));
}

/* The eight steps, and the same in C: the same bits. */
void tutorial() {
    Run run;
    CHECK(run.data.count() == 40 && run.data.height() == 64 && run.data.outputs() == 1);
    CHECK(run.split.train.size() == 28 && run.split.val.size() == 8 && run.split.test.size() == 4);
    net::History history = MUST(net::History::try_create());
    int64_t steps = 0, epochs = 0;
    run.options.on_event = [&](const an_train_event &event) {
        steps += event.kind == AN_EVENT_STEP;
        epochs += event.kind == AN_EVENT_EPOCH_END && event.report;
    };
    run.options.checkpoint_path = folder + "/best.safetensors";
    run.options.csv_path = std::filesystem::path(folder) / "history.csv";
    run.options.optimizer.emplace();
    run.options.optimizer->clip_norm = 1;
    net::Trainer trainer =
        MUST(net::Trainer::try_create(run.model, run.train, &run.val, &history, run.options));
    OK(trainer.try_run());
    CHECK(trainer.reason() == AN_STOP_EPOCHS && history.count() == 2);
    CHECK(steps == 8 && epochs == 2);
    const auto losses = MUST(history.try_column("val_loss"));
    CHECK(losses.size() == 2 && losses[1] == MUST(history.try_epoch(1)).val_loss);
    CHECK(MUST(net::History::try_read_csv(folder + "/history.csv")).count() == 2);
    CHECK(std::filesystem::exists(folder + "/best.safetensors"));
    CHECK(!MUST(trainer.try_run_epoch()));

    const auto scores = MUST(run.model.try_predict(run.test));
    std::vector<double> truth;
    for (const int64_t sample : run.split.test)
        truth.push_back(run.data.score(sample));
    const an_metrics metrics = MUST(net::try_metrics(truth, scores));
    const double mse = MUST(run.model.try_evaluate(run.test));
    CHECK(metrics.count == 4 && std::fabs(metrics.mse - mse) < 1e-6 * mse);

    /* Heads in closed form, intervals, folds, recipes. */
    const auto features = MUST(run.model.try_compute_features(run.test));
    const std::vector<float> targets(truth.begin(), truth.end());
    net::HeadOptions head;
    head.penalty = 2;
    CHECK(MUST(run.model.try_fit_head(features, targets, head)).penalty == 2);
    CHECK(run.model.try_fit_head(features, scores, head, targets, {}, {}).status() == AN_OK);
    CHECK(run.model.try_fit_head(features, {targets.data(), 3}, head).status() == AN_ERR_ARG);
    const double half = MUST(net::try_conformal_half_width(truth, scores, 0.5));
    OK(run.model.try_set_intervals(0.5, {&half, 1}));
    CHECK(run.model.interval() == half && std::isnan(run.model.interval(1)));
    const auto fold = MUST(net::try_fold_split(20, 4, 2));
    CHECK(fold.test.size() == 5 && fold.train.size() + fold.val.size() == 15);
    CHECK(MUST(net::try_held_out_split(20, fold.test)).train == fold.train);
    net::TrainOptions modern;
    CHECK(MUST(net::try_recipe_fill(AN_RECIPE_MODERN, 1, true, modern)) > 0);
    CHECK(modern.head.has_value() && modern.base == AN_BASE_FROZEN);

    OK(run.model.try_save(folder + "/model.safetensors"));
    const net::Model loaded = MUST(net::Model::try_load(run.cpu, folder + "/model.safetensors"));
    const net::Bytes bytes = MUST(run.model.try_save_bytes());
    const net::Model pickled = MUST(net::Model::try_load_bytes(run.cpu, bytes));
    CHECK(MUST(loaded.try_predict(run.test)) == scores);
    CHECK(MUST(pickled.try_predict(run.test)) == scores);

    /* for another tool */
    net::ExportOptions how;
    how.layout = AN_LAYOUT_NCHW;
    OK(run.model.try_export_to(folder + "/model.onnx", how));
    CHECK(std::filesystem::file_size(folder + "/model.onnx") > 100000);
    CHECK(run.model.try_export_to(folder + "/model.tflite").error().status() == AN_ERR_ARG);

    /* an encoded image, and what moves its score */
    const net::Bytes file = MUST(run.data.try_read_bytes(0));
    const net::Size stored = MUST(net::try_measure_image(file));
    const net::Image image = MUST(net::Image::try_decode(file));
    CHECK(stored.height == image.height() && stored.width == image.width());
    CHECK(MUST(net::Image::try_decode(MUST(image.try_encode_jpeg(90)))).width() == stored.width);
    const an_model_info shape = MUST(pickled.try_describe());
    const std::vector<float> grey(static_cast<std::size_t>(2 * shape.height * shape.width * 3));
    net::ExplainOptions what;
    what.layer = "Conv1";
    net::Model explained = MUST(net::Model::try_load_bytes(run.cpu, bytes));
    const net::Size map = MUST(explained.try_explain_size("Conv1"));
    CHECK(map.height == shape.height / 2 && map.width == shape.width / 2);
    CHECK(MUST(explained.try_explain(grey, what)).size() ==
          static_cast<std::size_t>(2 * map.height * map.width));
    CHECK(MUST(explained.try_explain(grey)).size() < grey.size() / 100);
    what.layer = "dense";
    CHECK(explained.try_explain(grey, what).error().status() == AN_ERR_ARG);

    /* the same training through the C API */
    Run c;
    an_optimizer_options optimizer;
    an_optimizer_options_init(&optimizer, sizeof optimizer);
    optimizer.clip_norm = 1;
    an_train_options options;
    an_train_options_init(&options, sizeof options);
    options.base = AN_BASE_TRAIN;
    options.max_epochs = 2;
    options.optimizer = &optimizer;
    an_trainer *raw = nullptr;
    std::vector<float> expected(4);
    CHECK(!an_trainer_create(&raw, c.model.get(), c.train.get(), c.val.get(), nullptr, &options,
                             nullptr));
    CHECK(!an_trainer_run(raw, nullptr));
    CHECK(!an_predict_loader(c.model.get(), c.test.get(), expected.data(), nullptr, nullptr,
                             nullptr));
    an_trainer_destroy(raw);
    CHECK(scores == expected);
}

void errors() {
    const net::Backend cpu = backend();
    auto model = net::Model::try_load(cpu, "no/such/model");
    CHECK(!model && model.status() == AN_ERR_IO);
    CHECK(says(model.error(), AN_ERR_IO, "no/such/model"));
    CHECK(std::string(model.error().name()) == "AN_ERR_IO" && !model.error().is_cancelled());
    const net::Model empty;
    CHECK(!empty && empty.try_predict(ramp(3)).status() == AN_ERR_ARG);
    CHECK(empty.try_describe().status() == AN_ERR_ARG);
    net::Predictor none;
    float score = 0;
    CHECK(none.try_score_file("x.png", {&score, 1}).status() == AN_ERR_ARG);
    CHECK(net::Dataset().count() == 0 && net::Dataset().name(0) == nullptr);
    const std::string zero("photo.png\0.exe", 14);
    CHECK(net::Image::try_read(zero).status() == AN_ERR_ARG);
    net::DatasetOptions options;
    options.label_file = zero;
    CHECK(says(net::Dataset::try_open(faces, options).error(), AN_ERR_ARG, "0 byte"));
    CHECK(net::Result<int>(7).value_or(3) == 7);
    CHECK(net::Result<int>(net::Error(AN_ERR_IO, "x")).value_or(3) == 3);
}

/* A pointer has no size, a Span has one: what does not fit is refused. */
void sizes() {
    const net::Backend cpu = backend();
    net::Model model = small_model(cpu);
    std::vector<float> x = ramp(2 * 64 * 64 * 3), y(2);
    OK(model.try_predict(x, y));
    CHECK(says(model.try_predict(net::Span<const float>(x).part(1, x.size()), y).error(),
               AN_ERR_ARG, "multiple of 12288"));
    CHECK(says(model.try_predict(x, net::Span<float>(y).part(0, 1)).error(), AN_ERR_ARG,
               "y has 1 elements; it must have 2"));
    CHECK(model.try_predict(net::Span<const float>(), net::Span<float>()).status() == AN_ERR_ARG);
    net::LossOptions loss;
    const std::vector<float> one(1, 1.0F);
    loss.weights = one;
    OK(model.try_compute_gradients(x, y));
    CHECK(says(model.try_compute_gradients(x, y, loss).error(), AN_ERR_ARG, "weights has 1"));
    CHECK(says(model.try_compute_gradients(x, one).error(), AN_ERR_ARG, "y has 1"));

    net::Predictor predictor = MUST(net::Predictor::try_create(model));
    const std::vector<std::uint8_t> pixels(80 * 100 * 3);
    std::vector<float> scores(1);
    OK(predictor.try_score_frame(pixels, 80, 100, 0, scores));
    CHECK(predictor.try_score_frame(pixels, 81, 100, 0, scores).status() == AN_ERR_ARG);
    CHECK(predictor.try_score_frame(pixels, 80, 100, 301, scores).status() == AN_ERR_ARG);
    CHECK(predictor.try_score_frame(pixels, 80, 100, 0, {}).status() == AN_ERR_ARG);
    OK(predictor.try_set_format(AN_FORMAT_NV12)); /* 12000 bytes of the 24000 */
    net::Frames frames;
    frames.data = pixels;
    frames.count = 2;
    frames.height = 80;
    frames.width = 100;
    scores.resize(2);
    OK(predictor.try_score_frames(frames, scores));
    frames.data = frames.data.part(0, 23999);
    CHECK(predictor.try_score_frames(frames, scores).status() == AN_ERR_ARG);

    const std::vector<double> truth(1, 3.0);
    CHECK(says(net::Dataset::try_from_pixels(pixels, 1, 80, 101, truth).error(), AN_ERR_ARG,
               "it must have 24240"));
    CHECK(says(net::Dataset::try_from_pixels(pixels, 1, 80, 100, truth, 2).error(), AN_ERR_ARG,
               "scores has 1 elements; it must have 2"));
    CHECK(net::Dataset::try_borrow_pixels(pixels, 1, 80, 100, 0, 301, truth).status() ==
          AN_ERR_ARG);
    const std::vector<double> three(3, 1.0);
    CHECK(net::try_metrics(three, scores).status() == AN_ERR_ARG);
    CHECK(net::Tensor::try_borrow(scores, std::vector<int64_t>{3}).status() == AN_ERR_ARG);
}

void moves() {
    static_assert(!std::is_copy_constructible_v<net::Model>);
    static_assert(std::is_nothrow_move_constructible_v<net::Trainer>);
    static_assert(std::is_nothrow_move_assignable_v<net::Trainer>);
    Run run;
    int first = 0, second = 0;
    run.options.on_event = [&](const an_train_event &) { first++; };
    net::Trainer trainer =
        MUST(net::Trainer::try_create(run.model, run.train, &run.val, nullptr, run.options));
    OK(trainer.try_run_epoch());
    net::Trainer moved(std::move(trainer));
    const int before = first;
    OK(moved.try_run_epoch());
    CHECK(first > before && !trainer && moved); // NOLINT: a moved-from handle is empty
    run.options.on_event = [&](const an_train_event &) { second++; };
    moved = MUST(net::Trainer::try_create(run.model, run.train, &run.val, nullptr, run.options));
    const int after = first;
    OK(moved.try_run());
    CHECK(first == after && second > 0);
    moved = net::Trainer();
    CHECK(!moved && moved.try_run().status() == AN_ERR_ARG);
}

/* Parents first; options, sources and their callables long gone. */
void lifetimes() {
    int released = 0, filled = 0;
    {
        net::Trainer trainer;
        {
            net::Model model = small_model(backend());
            net::LoaderSource source;
            source.height = source.width = 64;
            source.count = 8;
            auto values = std::make_unique<std::vector<float>>(ramp(64 * 64 * 3)); /* moves only */
            source.fill = [&filled, values = std::move(values)](const an_fill_batch &batch) {
                filled++;
                for (int64_t i = 0; i < batch.n; i++) {
                    std::memcpy(batch.x + static_cast<std::size_t>(i) * values->size(),
                                values->data(), values->size() * sizeof(float));
                    batch.y[i] = 1;
                }
            };
            source.release = [&released] { released++; };
            net::Loader loader = MUST(net::Loader::try_create(source));
            source = net::LoaderSource();
            net::TrainOptions options;
            options.max_epochs = 1;
            trainer = MUST(net::Trainer::try_create(model, loader, nullptr, nullptr, options));
        }
        OK(trainer.try_run());
        CHECK(filled > 0 && released == 0);
    }
    CHECK(released == 1);

    std::vector<std::uint8_t> pixels(4 * 16 * 16 * 3, 100);
    const std::vector<double> scores{1, 2, 3, 4};
    released = 0;
    {
        net::Loader loader;
        {
            net::Dataset data = MUST(net::Dataset::try_borrow_pixels(
                pixels, 4, 16, 16, 0, 0, scores, 1, [&released] { released++; }));
            loader = MUST(net::Loader::try_create(data));
        }
        auto batch = MUST(loader.try_next());
        CHECK(released == 0 && batch && batch->n == 4 && batch->y[3] == 4.0F);
        CHECK(batch->x.size() == pixels.size() && batch->samples[2] == 2 && batch->weights.empty());
        CHECK(!MUST(loader.try_next()));
    }
    CHECK(released == 1);
    CHECK(!net::Dataset::try_borrow_pixels(pixels, 4, 16, 16, 7, 0, scores, 1,
                                           [&released] { released++; }));
    CHECK(released == 1);

    /* a damaged image is found by a loader, when the data set and its options are gone */
    const std::string images = folder + "/damaged";
    std::filesystem::create_directories(images);
    OK(MUST(net::Image::try_create(pixels, 32, 32)).try_write_png(images + "/a.png"));
    std::ofstream(images + "/b.png") << "not an image";
    std::ofstream(images + "/All_labels.txt") << "a.png 1\nb.png 2\n";
    std::vector<std::int32_t> warnings;
    net::Loader loader;
    {
        net::DatasetOptions options;
        options.policy = AN_POLICY_SKIP;
        options.height = options.width = 32;
        options.warn = [&warnings](const an_warning &warning) { warnings.push_back(warning.code); };
        net::Dataset data = MUST(net::Dataset::try_open(images, options));
        loader = MUST(net::Loader::try_create(data));
    }
    auto batch = MUST(loader.try_next());
    CHECK(batch && batch->n == 1 && warnings == std::vector<std::int32_t>{AN_WARN_IMAGE_SKIPPED});
}

/* A callback ends its call; everything goes on afterwards. */
void stops() {
    Run run;
    int events = 0;
    run.options.on_event = [&](const an_train_event &event) {
        return event.kind == AN_EVENT_STEP && ++events == 2 ? net::Flow::stop : net::Flow::proceed;
    };
    net::Trainer trainer =
        MUST(net::Trainer::try_create(run.model, run.train, &run.val, nullptr, run.options));
    auto done = trainer.try_run();
    CHECK(!done && done.error().is_cancelled());
    OK(trainer.try_run());
    const auto stop = [](const an_progress &) { return net::Flow::stop; };
    CHECK(run.model.try_evaluate(run.test, {}, stop).status() == AN_ERR_CANCELLED);
    CHECK(run.model.try_predict(run.test, stop).status() == AN_ERR_CANCELLED);
    OK(run.model.try_predict(run.test));
    const net::Cancel cancel = MUST(net::Cancel::try_create());
    OK(run.model.try_set_cancel(cancel));
    cancel.request();
    CHECK(cancel.is_requested() &&
          run.model.try_predict(ramp(64 * 64 * 3)).status() == AN_ERR_CANCELLED);
    cancel.reset();
    OK(run.model.try_predict(ramp(64 * 64 * 3)));
    OK(run.model.try_set_cancel(net::Cancel()));
    cancel.request();
    OK(run.model.try_predict(ramp(64 * 64 * 3)));
}

void custom_loss() {
    net::Backend cpu = backend();
    net::Model model = small_model(cpu), same = MUST(model.try_copy());
    const std::vector<float> x = ramp(2 * 64 * 64 * 3), y{1, 2};
    net::LossOptions loss;
    loss.fn = [](const an_loss_batch &batch) {
        double sum = 0;
        for (int64_t i = 0; i < batch.n; i++) {
            const double error =
                static_cast<double>(batch.prediction[i]) - static_cast<double>(batch.target[i]);
            sum += error * error;
            if (batch.gradient)
                batch.gradient[i] = static_cast<float>(2 * error / static_cast<double>(batch.n));
        }
        *batch.loss = sum / static_cast<double>(batch.n);
    };
    const double own = MUST(model.try_compute_gradients(x, y, loss)),
                 mse = MUST(same.try_compute_gradients(x, y));
    CHECK(std::fabs(own - mse) < 1e-6 * mse);
    net::Optimizer optimizer = MUST(net::Optimizer::try_create(model));
    OK(optimizer.try_step(1e-3));
    CHECK(optimizer.steps() == 1);
    const net::Arrays gradients = MUST(model.try_copy_gradients());
    CHECK(gradients.count() > 0 && gradients.find("dense/kernel") >= 0);
}

void arrays_and_tensors() {
    net::Arrays arrays = MUST(net::Arrays::try_create());
    const std::vector<float> values{1, 2, 3, 4, 5, 6};
    const std::vector<int64_t> shape{2, 3}, wrong{2, 4};
    OK(arrays.try_add("a/b", values, shape));
    CHECK(arrays.try_add("c", values, wrong).status() == AN_ERR_ARG);
    OK(arrays.try_set_metadata("key", "value"));
    const net::Bytes bytes = MUST(arrays.try_write_bytes());
    const net::Arrays again = MUST(net::Arrays::try_read_bytes(bytes));
    CHECK(again.count() == 1 && again.rank(0) == 2 && again.length(0, 1) == 3);
    CHECK(again.data(0).size() == 6 && again.data(0)[5] == 6.0F && again.data(7).empty());
    CHECK(std::string(again.metadata("key")) == "value" && !again.metadata("none"));

    const net::Backend cpu = backend();
    std::vector<float> x{1, 2}, w{3, 4}, b{5};
    net::Tensor tx = MUST(net::Tensor::try_borrow(x, std::vector<int64_t>{1, 2}));
    net::Tensor tw = MUST(net::Tensor::try_borrow(w, std::vector<int64_t>{2, 1}));
    net::Tensor tb = MUST(net::Tensor::try_borrow(b, std::vector<int64_t>{1}));
    net::Tensor ty = MUST(net::Tensor::try_create(std::vector<int64_t>{1, 1}));
    OK(net::try_dense_forward(cpu, tx, tw, tb, ty));
    CHECK(ty.data()[0] == 16.0F && ty.rank() == 2 && ty.count() == 1);
    net::Tensor dw = MUST(net::Tensor::try_create(std::vector<int64_t>{2, 1}));
    OK(net::try_dense_backward(cpu, tx, tw, ty, nullptr, &dw, nullptr));
    CHECK(dw.data()[1] == 32.0F);
    const net::Tensor target = MUST(net::Tensor::try_create(std::vector<int64_t>{1, 1}));
    CHECK(MUST(net::try_loss_compute(cpu, AN_LOSS_MSE, ty, target)) == 256.0);
}

void images() {
    std::vector<std::uint8_t> rgb(8 * 6 * 3);
    for (std::size_t i = 0; i < rgb.size(); i++)
        rgb[i] = static_cast<std::uint8_t>(i);
    const net::Image image = MUST(net::Image::try_create(rgb, 8, 6));
    const std::filesystem::path path = std::filesystem::path(folder) / "image.png";
    OK(image.try_write_png(path));
    const net::Image read = MUST(net::Image::try_read(path));
    CHECK(read.height() == 8 && read.width() == 6);
    CHECK(std::vector<std::uint8_t>(read.data().begin(), read.data().end()) == rgb);
    std::ifstream file(path, std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(file)), {});
    const net::Image decoded = MUST(net::Image::try_decode(net::bytes_of(content)));
    CHECK(decoded.data()[17] == 17);
    CHECK(net::Image::try_decode(net::bytes_of(content).part(0, 40), "half").status() ==
          AN_ERR_FORMAT);
    CHECK(MUST(image.try_resize(4, 3)).data().size() == 36);

    net::Model model = small_model(backend());
    net::Predictor predictor = MUST(net::Predictor::try_create(model));
    std::array<float, 3> scores{};
    OK(predictor.try_score(image, net::Span<float>(scores).part(0, 1)));
    OK(predictor.try_score_file(path, net::Span<float>(scores).part(1, 1)));
    OK(predictor.try_score_bytes(net::bytes_of(content), "x", net::Span<float>(scores).part(2, 1)));
    CHECK(scores[0] == scores[1] && scores[0] == scores[2]);
    const float of[4] = {0.1F, 0.4F, 0.2F, 0.3F};
    CHECK(MUST(net::try_top_classes(of, 2)) == (std::vector<std::int32_t>{1, 3}));
}

void frames() {
    const std::string place = folder + "/live";
    std::filesystem::create_directory(place);
    const auto pixels = ramp(48 * 64 * 3);
    std::vector<std::uint8_t> rgb(pixels.size());
    for (std::size_t i = 0; i < rgb.size(); i++)
        rgb[i] = static_cast<std::uint8_t>(pixels[i] * 255);
    std::ofstream(place + "/raw", std::ios::binary)
        .write(reinterpret_cast<const char *>(rgb.data()),
               static_cast<std::streamsize>(rgb.size()));
    net::SourceOptions how;
    how.is_raw = 1;
    how.width = 64;
    how.height = 48;
    net::Source source = MUST(net::Source::try_open(place + "/raw", how));
    net::Sink sink = MUST(net::Sink::try_open(place + "/out/"));
    const auto frame = MUST(source.try_next());
    CHECK(frame && frame->width == 64 && frame->rgb[7] == rgb[7] && net::frame_age(*frame) >= 0);
    CHECK(MUST(source.try_describe()).returned == 1);
    if (frame) CHECK(MUST(sink.try_show(*frame)));
    net::Overlay overlay;
    overlay.width = 65;
    if (frame) CHECK(says(sink.try_show(*frame, &overlay).error(), AN_ERR_ARG, "width 65"));
    CHECK(!MUST(source.try_next()));
    OK(sink.try_finish());
    CHECK(std::filesystem::exists(place + "/out/frame-000000.jpg"));
    CHECK(says(net::Source::try_open(place + "/none").error(), AN_ERR_IO, "none"));
    net::SinkOptions other;
    other.quality = 0;
    CHECK(says(net::Sink::try_open_window(other).error(), AN_ERR_ARG, "quality is 0"));
}

void devices() {
    net::CommOptions ranks;
    CHECK(ranks.deadline == 60);
    net::Comm alone = MUST(net::Comm::try_join(ranks));
    CHECK(alone.rank() == 0 && alone.size() == 1 && !std::strcmp(alone.name(), "local"));
    CHECK(*alone.host(0) && !*alone.host(1) && alone.try_barrier());
    alone.abort(net::Error(AN_ERR_IO, "nobody hears it"));
    CHECK(alone.try_barrier());
    int word = 3;
    CHECK(alone.try_broadcast(&word, sizeof word, 0) && word == 3);
    CHECK(alone.try_broadcast(&word, sizeof word, 1).error().status() == AN_ERR_ARG);
    ranks.deadline = -1;
    CHECK(net::Comm::try_join(ranks).error().status() == AN_ERR_ARG);
    CHECK(net::Comm::try_create_mpi(nullptr).error().status() == AN_ERR_ARG);
    const net::DeviceList list = MUST(net::DeviceList::try_create());
    CHECK(list.count() >= 2);
    CHECK(!std::strcmp(MUST(list.try_describe(0)).device, "cpu"));
    CHECK(!list.try_describe(list.count()));
    net::BackendOptions options;
    CHECK(options.device == "cpu");
    options.device = "ref";
    const net::Backend ref = MUST(net::Backend::try_create(options));
    CHECK(!std::strcmp(MUST(ref.try_describe()).device, "ref"));
    options.device = "gpu";
    CHECK(net::Backend::try_create(options).error().status() == AN_ERR_ARG);
    options.device = std::string("cpu\0x", 5);
    CHECK(!net::Backend::try_create(options));
}

void small_things() {
    net::EarlyStopping stopping(0, 1);
    CHECK(stopping.update(0, 1) == AN_EARLY_KEEP && stopping.update(1, 2) == AN_EARLY_STOP);
    net::BestCheckpoint best;
    CHECK(best.update(2) && !best.update(3) && best.update(1));
    net::ReduceRate reduce(0.5, 1);
    CHECK(reduce.update(1, 0.5) == 0.5 && reduce.update(1, 0.5) == 0.25);
    net::ScheduleOptions schedule;
    schedule.kind = AN_SCHEDULE_COSINE;
    schedule.decay_steps = 10;
    CHECK(std::fabs(schedule.rate(1, 5) - 0.5) < 1e-12);
    net::SplitOptions options;
    options.test_kind = AN_SIZE_COUNT;
    options.test_count = 3;
    const net::Split split = MUST(net::try_train_test_split(10, options));
    CHECK(split.train.size() == 7 && split.test.size() == 3 && split.val.empty());
    CHECK(net::try_train_test_split(3, options).status() == AN_ERR_ARG);
    CHECK(MUST(net::try_scale_fill_tables(AN_SCALE_TF))[255] == 1.0F);
    CHECK(MUST(net::try_mobilenetv2_count_parameters(0.35, 1)).all == 411489);
    std::vector<float> p{1}, m{0}, v{0};
    const std::vector<float> g{1};
    OK(net::try_optimizer_apply({}, 1, 0.1, p, g, m, v));
    CHECK(std::fabs(p[0] - 0.9F) < 1e-5F);
    CHECK(net::try_optimizer_apply({}, 1, 0.1, p, g, m, {}).status() == AN_ERR_ARG);
    const net::Model model = small_model(backend());
    const std::string summary = MUST(model.try_summary());
    CHECK(summary.find("Total params") != std::string::npos && summary.back() != '\0');
    CHECK(MUST(model.try_describe()).features == 1280);
    net::MobileNetV2Options network;
    network.height = network.width = 32;
    network.alpha = 0.35;
    network.outputs = 3;
    network.task = AN_TASK_CLASSIFICATION;
    net::Model classifier = MUST(net::Model::try_mobilenetv2(backend(), network));
    OK(classifier.try_set_class_names({"a", "b", "c"}));
    CHECK(classifier.class_count() == 3 && std::string(classifier.class_name(2)) == "c");
    CHECK(MUST(classifier.try_predict(ramp(32 * 32 * 3))).size() == 3);
    OK(classifier.try_calibrate_begin());
    OK(classifier.try_calibrate_add(ramp(32 * 32 * 3)));
    OK(classifier.try_calibrate_end());
    CHECK(MUST(classifier.try_describe()).inference == AN_INFERENCE_INT8);
    if (net::has_feature("plot")) {
        OK(net::try_plot_curves(folder + "/loss.png",
                                {{"loss", {3, 2, 1}}, {"val_loss", {4, 3, 3}}}));
        CHECK(std::filesystem::exists(folder + "/loss.png"));
    }
}

#if ATTRACTIVENET_EXCEPTIONS
struct Mine {
    int number;
};
template <class F> int thrown(F &&fn) {
    try {
        fn();
    } catch (const Mine &mine) {
        return mine.number;
    } catch (const net::Error &error) {
        std::printf("# an Error: %s\n", error.what());
    }
    return -1;
}

void throws() {
    bool caught = false;
    try {
        net::Model::load(net::Backend::create(), "no/such/model");
    } catch (const std::exception &error) {
        caught = std::strstr(error.what(), "no/such/model");
    }
    CHECK(caught);
    CHECK(net::Dataset::open(faces).scores().size() == 40);
}

/* What leaves a callback arrives where the call was made, as the object that it was. */
void exceptions_pass() {
    Run run;
    run.options.on_event = [](const an_train_event &event) {
        if (event.kind == AN_EVENT_STEP) throw Mine{1};
    };
    net::Trainer trainer =
        net::Trainer::create(run.model, run.train, &run.val, nullptr, run.options);
    CHECK(thrown([&] { trainer.run(); }) == 1);
    const auto result = trainer.try_run();
    CHECK(!result && result.error().is_cancelled() && result.error().cause());
    CHECK(thrown([&] { result.value(); }) == 1);
    CHECK(thrown([&] {
              run.model.evaluate(run.test, {}, [](const an_progress &) { throw Mine{2}; });
          }) == 2);
    net::LossOptions loss;
    loss.fn = [](const an_loss_batch &) { throw Mine{3}; };
    CHECK(thrown([&] { run.model.evaluate(run.test, loss); }) == 3);
    CHECK(thrown([&] {
              run.model.compute_gradients(ramp(64 * 64 * 3), std::vector<float>{1}, loss);
          }) == 3);

    net::LoaderSource source;
    source.height = source.width = 64;
    source.count = 4;
    source.fill = [](const an_fill_batch &) { throw Mine{4}; };
    net::Loader loader = net::Loader::create(source);
    CHECK(thrown([&] { loader.next(); }) == 4);
    CHECK(thrown([&] { run.model.predict(loader); }) == 4);
    net::Trainer filled = net::Trainer::create(run.model, loader);
    CHECK(thrown([&] { filled.run(); }) == 4); /* the loader's callback, through a trainer */

    /* a call within a callback has its own exceptions */
    int inner = 0;
    CHECK(thrown([&] {
              run.model.predict(run.test, [&](const an_progress &) {
                  inner = thrown([&] { loader.next(); });
                  throw Mine{5};
              });
          }) == 5);
    CHECK(inner == 4);
    run.model.predict(run.test); /* nothing stays locked */
}
#endif

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    faces = argv[1];
    folder = argv[2];
    const struct {
        const char *name;
        void (*run)();
    } cases[] = {
        {"version and features", versions},
        {"the eight steps give the bits of C", tutorial},
        {"errors have status, name and message", errors},
        {"arrays of a wrong size are refused", sizes},
        {"handles move, with their callbacks", moves},
        {"callbacks live as long as they can be called", lifetimes},
        {"Flow::stop and Cancel end a call", stops},
        {"a loss function of one's own", custom_loss},
        {"arrays and tensors", arrays_and_tensors},
        {"images and scores", images},
        {"frames of a source, and a sink", frames},
        {"devices by name", devices},
        {"the rest", small_things},
#if ATTRACTIVENET_EXCEPTIONS
        {"calls of the first form throw", throws},
        {"an exception of a callback passes through C", exceptions_pass},
#endif
    };
    for (const auto &one : cases) {
        good = true;
        one.run();
        failures += !good;
        std::printf("%s - %s\n", good ? "ok" : "not ok", one.name);
        std::fflush(stdout);
    }
    return failures != 0;
}
