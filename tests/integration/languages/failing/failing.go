// Reports a failure whose error has no text, and closes; its log asks the reporter.
package main

import (
	"context"
	"fmt"
	"time"

	"batchprogress"
)

type withoutText struct{ text string }

func (e *withoutText) Error() string { return e.text }

func main() {
	settings, err := batchprogress.SettingsFromEnvironment()
	if err != nil {
		panic(err)
	}
	client, err := batchprogress.New(settings)
	if err != nil {
		panic(err)
	}
	var reporter *batchprogress.Reporter
	reporter = client.NewReporterWithLog("b", func(string) {
		fmt.Printf("log: %d unanswered\n", reporter.Unanswered())
	})
	var failed *withoutText
	reporter.Failed("17", failed)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	fmt.Printf("unsent: %d\n", reporter.Close(ctx))
	client.Close()
}
