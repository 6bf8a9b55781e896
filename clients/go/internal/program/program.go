// Package program runs the programs in cmd: an error is one sentence and an exit code, those of the command line
// `batchprogress`.
package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"batchprogress"
)

// The exit codes.
const (
	WithFailures = 1
	usage        = 2
	Cancelled    = 3
	notFound     = 4
	unavailable  = 5
	refused      = 6
	interrupted  = 130
)

// Run runs a program with a client and its arguments, until SIGTERM or SIGINT ends ctx.
func Run(usageLine string, argumentsMin int, run func(context.Context, *batchprogress.Client, []string) (int, error)) {
	os.Exit(code(usageLine, argumentsMin, run))
}

func code(usageLine string, argumentsMin int, run func(context.Context, *batchprogress.Client, []string) (int, error)) int {
	if len(os.Args)-1 < argumentsMin {
		fmt.Fprintln(os.Stderr, "usage:", usageLine)
		return usage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	code, err := connected(ctx, run)
	var failed *batchprogress.CallError
	switch {
	case err == nil:
		return code
	case errors.Is(err, context.Canceled):
		return interrupted
	}
	fmt.Fprintln(os.Stderr, err)
	if errors.As(err, &failed) {
		return For(failed.Reason)
	}
	return usage
}

func connected(ctx context.Context, run func(context.Context, *batchprogress.Client, []string) (int, error)) (int, error) {
	settings, err := batchprogress.SettingsFromEnvironment()
	if err != nil {
		return 0, err
	}
	client, err := batchprogress.New(settings)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	return run(ctx, client, os.Args[1:])
}

// For returns the exit code for the server's reason.
func For(reason string) int {
	switch reason {
	case "BATCH_NOT_FOUND":
		return notFound
	case "", "UNSENT":
		return unavailable
	}
	return refused
}
