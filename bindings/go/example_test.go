// SPDX-License-Identifier: MIT

package attractivenet_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"

	"attractivenet"
	"attractivenet/scorehttp"
)

func ExampleTutorialSplit() {
	train, val, test, err := attractivenet.TutorialSplit(5500, 42)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(train), len(val), len(test), train[:3])
	// Output: 3850 1100 550 [5409 2910 4019]
}

func ExampleComputeMetrics() {
	m, err := attractivenet.ComputeMetrics([]float64{1, 2, 3, 4}, []float32{1.5, 2, 3, 3.5}, nil)
	fmt.Println(m.MSE, m.MAE, m.R2, err)
	// Output: 0.125 0.25 0.9 <nil>
}

func ExampleError() {
	_, err := attractivenet.DecodeImage([]byte("hello"), "note.txt", nil)
	fmt.Println(errors.Is(err, attractivenet.ErrFormat))
	// Output: true
}

// Score files with a trained model.
func ExamplePredictor() {
	backend, err := attractivenet.NewBackend(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer backend.Close()
	model, err := attractivenet.LoadModel(backend, "model.safetensors", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	predictor, err := attractivenet.NewPredictor(model, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer predictor.Close()
	scores, err := predictor.ScoreFile(context.Background(), "photo.jpg")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("score %.2f\n", scores[0])
}

// The tutorial's first stage, until it ends or Ctrl-C does.
func ExampleTrainer() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	data, err := attractivenet.OpenDataset("SCUT-FBP5500_v2.1.zip", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer data.Close()
	train, val, _, err := attractivenet.TutorialSplit(int64(data.Count()), 42)
	if err != nil {
		log.Fatal(err)
	}
	batches := attractivenet.DefaultLoaderOptions()
	batches.Scale = attractivenet.ScaleTF
	valLoader, err := attractivenet.NewLoader(data, val, &batches)
	if err != nil {
		log.Fatal(err)
	}
	defer valLoader.Close()
	augment := attractivenet.TutorialAugmentOptions()
	batches.Shuffle, batches.Augment = true, &augment
	trainLoader, err := attractivenet.NewLoader(data, train, &batches)
	if err != nil {
		log.Fatal(err)
	}
	defer trainLoader.Close()

	backend, err := attractivenet.NewBackend(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer backend.Close()
	network := attractivenet.DefaultMobileNetV2Options()
	network.Weights = attractivenet.WeightsImageNet
	model, err := attractivenet.NewMobileNetV2(backend, &network)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	options := attractivenet.DefaultTrainOptions()
	options.CheckpointPath = "best.safetensors"
	options.OnEvent = func(e *attractivenet.TrainEvent) error {
		if e.Kind == attractivenet.EventEpochEnd {
			fmt.Printf("epoch %d: loss %.4f, val_loss %.4f\n", e.Epoch, e.Report.Loss, e.Report.ValLoss)
		}
		return nil
	}
	trainer, err := attractivenet.NewTrainer(model, trainLoader, valLoader, nil, &options)
	if err != nil {
		log.Fatal(err)
	}
	defer trainer.Close()
	if err := trainer.Run(ctx); errors.Is(err, context.Canceled) {
		fmt.Println("stopped; the model is as the last step left it")
	} else if err != nil {
		log.Fatal(err)
	}
	if err := model.Save("model.safetensors"); err != nil {
		log.Fatal(err)
	}
}

// Answer uploads: curl --data-binary @photo.jpg http://127.0.0.1:8080/score
func Example_server() {
	backend, err := attractivenet.NewBackend(nil)
	if err != nil {
		log.Fatal(err)
	}
	model, err := attractivenet.LoadModel(backend, "model.safetensors", nil)
	if err != nil {
		log.Fatal(err)
	}
	predictor, err := attractivenet.NewPredictor(model, nil)
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/score", &scorehttp.Handler{Predictor: predictor, MaxBytes: 8 << 20, Uploads: 4})
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
