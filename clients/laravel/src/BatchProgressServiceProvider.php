<?php

namespace BatchProgress\Laravel;

use Illuminate\Bus\BatchFactory;
use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Queue\Events\JobExceptionOccurred;
use Illuminate\Queue\Events\JobFailed;
use Illuminate\Queue\Events\JobProcessed;
use Illuminate\Queue\Events\JobProcessing;
use Illuminate\Queue\Events\JobRetryRequested;
use Illuminate\Queue\Events\Looping;
use Illuminate\Queue\Events\WorkerStopping;
use Illuminate\Queue\Queue;
use Illuminate\Support\ServiceProvider;

final class BatchProgressServiceProvider extends ServiceProvider
{
    private const CONFIG = __DIR__ . '/../config/batchprogress.php';

    public function register(): void
    {
        $this->mergeConfigFrom(self::CONFIG, 'batchprogress');
        $this->app->singleton(ProblemLog::class, fn (Application $app) => new ProblemLog(
            fn () => $app->make('log')->channel($app->make('config')->get('batchprogress.log_channel')),
        ));
        $this->app->singleton(Gateway::class, fn (Application $app) => Gateway::of($app->make('config')->get('batchprogress')));
        $this->app->singleton(Cancellations::class, fn (Application $app) => new Cancellations($app->make(ProblemLog::class)));
        $this->app->singleton(Outbox::class, fn (Application $app) => new Outbox(
            $app->make(Gateway::class),
            $app->make(ProblemLog::class),
            $app->make(Cancellations::class),
            $app->make('config')->get('batchprogress.timeout'),
        ));
        $this->app->singleton(Tracker::class, fn (Application $app) => new Tracker(
            $app->make(Outbox::class),
            $app->make(ProblemLog::class),
            $app->make('config')->get('batchprogress.sealed'),
            $app->make('config')->get('batchprogress.error_details'),
        ));
        if ($this->isConfigured()) {
            $this->app->bind(BatchFactory::class, TrackedBatchFactory::class);
        }
    }

    public function boot(Dispatcher $events): void
    {
        if ($this->app->runningInConsole()) {
            $this->publishes([self::CONFIG => $this->app->configPath('batchprogress.php')], 'batchprogress');
            $this->commands([WatchCommand::class]);
        }
        if ($this->isConfigured()) {
            $this->listen($events, $this->app->make(Tracker::class), $this->app->make(Outbox::class));
        }
    }

    private function listen(Dispatcher $events, Tracker $tracker, Outbox $outbox): void
    {
        Queue::createPayloadUsing(fn (string $connection, ?string $queue, array $payload) => $tracker->mark($payload));
        $events->listen(JobRetryRequested::class, $tracker->countRetry(...));
        $events->listen(JobProcessing::class, $tracker->begin(...));
        $events->listen(JobProcessed::class, $tracker->reportProcessed(...));
        $events->listen(JobFailed::class, $tracker->reportFailed(...));
        $events->listen(JobExceptionOccurred::class, $tracker->forget(...));
        $events->listen(Looping::class, function () use ($outbox): void {
            $outbox->flushBetweenJobs();
        });
        $events->listen(WorkerStopping::class, function () use ($outbox): void {
            $outbox->close();
        });
        $this->app->terminating(fn () => $outbox->flush());
    }

    private function isConfigured(): bool
    {
        return (string) $this->app->make('config')->get('batchprogress.url') !== '';
    }
}
