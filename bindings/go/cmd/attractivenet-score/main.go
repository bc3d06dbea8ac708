// SPDX-License-Identifier: MIT

// Command attractivenet-score scores images with a trained model: files, or uploads over HTTP.
//
//	attractivenet-score -model model.safetensors photo.jpg ...
//	attractivenet-score -model model.safetensors -listen 127.0.0.1:8080
//	curl --data-binary @photo.jpg http://127.0.0.1:8080/
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"attractivenet"
	"attractivenet/scorehttp"
)

func main() {
	model := flag.String("model", "", "the model `file`, as training wrote it")
	listen := flag.String("listen", "", "answer uploads at this `address`, such as 127.0.0.1:8080")
	threads := flag.Int("threads", 0, "compute threads; 0 = all processors")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: %s -model FILE IMAGE...\n       %s -model FILE -listen ADDRESS\n",
			os.Args[0], os.Args[0])
		flag.PrintDefaults()
	}
	flag.Parse()
	if *model == "" || (*listen == "") == (flag.NArg() == 0) {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *model, *threads, *listen, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, path string, threads int, listen string, images []string) error {
	backend, err := attractivenet.NewBackend(&attractivenet.BackendOptions{Threads: threads})
	if err != nil {
		return err
	}
	defer backend.Close()
	model, err := attractivenet.LoadModel(backend, path, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	predictor, err := attractivenet.NewPredictor(model, nil)
	if err != nil {
		return err
	}
	defer predictor.Close()
	if listen != "" {
		return serve(ctx, listen, predictor)
	}
	for _, image := range images {
		scores, err := predictor.ScoreFile(ctx, image)
		if err != nil {
			return err
		}
		fmt.Printf("%s", image)
		for _, score := range scores {
			fmt.Printf(" %.3f", score)
		}
		fmt.Println()
	}
	return nil
}

func serve(ctx context.Context, address string, predictor *attractivenet.Predictor) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	server := &http.Server{
		Handler:           &scorehttp.Handler{Predictor: predictor},
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute, // a slow sender does not hold its place for ever
		WriteTimeout:      2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(last); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
