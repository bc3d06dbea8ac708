# SPDX-License-Identifier: MIT
"""The tutorial's eight steps: from photographs with scores to a network that scores.

    python tutorial.py --data faces.zip --out run --weights none --size 96 --alpha 0.35

Reads an archive or a folder, or downloads a URL. Each step is explained in docs/tutorial.md.
"""

from __future__ import annotations

import argparse
import os

import attractivenet as an


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="archive or folder of images with All_labels.txt, or the URL of an archive")
    parser.add_argument("--out", default="run", help="folder for the results (default: run)")
    parser.add_argument("--weights", default="imagenet", help="imagenet, none (random) or a weight file (default: imagenet)")
    parser.add_argument("--size", type=int, default=350, help="width and height of the network's images (default: 350)")
    parser.add_argument("--alpha", type=float, default=1.0, help="width multiplier of the network (default: 1)")
    parser.add_argument("--epochs1", type=int, default=30, help="epochs with a frozen base; 0 skips them (default: 30)")
    parser.add_argument("--epochs2", type=int, default=30, help="epochs of the whole network (default: 30)")
    parser.add_argument("--rate2", type=float, default=1e-4, help="learning rate of the second stage (default: 1e-4)")
    parser.add_argument("--batch", type=int, default=32, help="batch size (default: 32)")
    parser.add_argument("--momentum", type=float, default=0.999, help="of batch norm's moving statistics; 0.9 suits short runs")
    parser.add_argument("--augment", default="fast", choices=["none", "fast", "keras", "legacy"])
    parser.add_argument("--verbose", default="auto", choices=["auto", "0", "1", "2"])
    args = parser.parse_args()
    verbose = args.verbose if args.verbose == "auto" else int(args.verbose)
    os.makedirs(args.out, exist_ok=True)
    best = os.path.join(args.out, "model.safetensors")

    # 1. Get the data.
    data = args.data
    if "://" in data:
        data = an.download_data(data, os.path.join(args.out, "archive.zip"))

    # 2. Load: images stay encoded until they are needed; every one is decoded once, to find damaged ones now.
    faces = an.Dataset.open(data, size=args.size).check()
    print(faces)

    # 3. Prepare: 70 % to learn from, 20 % to decide when to stop, 10 % for the end. Only training images vary.
    train, val, test = an.tutorial_split(faces)
    batches = an.Loader(train, batch_size=args.batch, shuffle=True, drop_last=True, augment=an.Augment.tutorial(args.augment))
    checks = an.Loader(val, batch_size=args.batch)

    # 4. Build.
    weights = None if args.weights == "none" else args.weights
    model = an.MobileNetV2(weights, size=args.size, alpha=args.alpha, momentum=args.momentum)
    model.summary()

    # 5. Train: first the new head alone, then everything from the best weights so far, at a tenth of the rate.
    history = an.History()
    for base, epochs, rate in (("frozen", args.epochs1, 1e-3), ("train", args.epochs2, args.rate2)):
        if epochs == 0:
            continue
        if len(history):
            model.set_weights(best)
        model.base = base
        model.compile(an.Adam(rate), loss="mse")
        history = model.fit(batches, validation_data=checks, epochs=epochs, history=history, verbose=verbose, callbacks=[
            an.EarlyStopping(min_delta=1e-3, patience=7),
            an.ModelCheckpoint(best, save_best_only=True, initial_value_threshold=history.best),
            an.CSVLogger(os.path.join(args.out, "history.csv"))])
    print(history)

    # 6. Plot.
    history.plot(os.path.join(args.out, "loss.png"), y_label="mean squared error")

    # 7. Test the best model on images that it has never seen.
    best_model = an.Model.load(best)
    scores = best_model.predict(test)
    found = an.metrics(test.scores, scores)
    an.plot_scatter(test.scores, scores).save(os.path.join(args.out, "scatter.png"))
    print(f"RMSE {found.rmse:.3f}, MAE {found.mae:.3f}, R2 {found.r2:.3f}, Pearson {found.pearson:.3f}; "
          f"always guessing the mean: RMSE {test.scores.std():.3f}")

    # 8. Use: pixels from anywhere, here of the first test image.
    pixels, truth = test[0]
    print(f"{test.names[0]}: score {best_model.predict(pixels[None])[0, 0]:.2f}, true score {truth[0]:.2f}")


if __name__ == "__main__":
    main()
