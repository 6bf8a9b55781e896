<?php

// The commands with which the tests do what an application does. A job is named by what it does, a chain
// is a list of jobs.

use App\Jobs\Work;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Bus;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Queue;
use Illuminate\Support\Str;

$toJobs = fn (array $names): array => array_map(
    fn ($name) => is_array($name) ? array_map(fn ($one) => new Work($one), $name) : new Work($name),
    $names,
);

Artisan::command('app:tables', function () {
    // The tables of Laravel's own migrations.
    foreach (['jobs', 'failed_jobs', 'batches' => 'job_batches'] as $stub => $table) {
        $stub = is_string($stub) ? $stub : $table;
        $file = dirname((new ReflectionClass(Illuminate\Queue\Worker::class))->getFileName()) . "/Console/stubs/$stub.stub";
        $migration = storage_path("$stub.php");
        file_put_contents($migration, str_replace('{{table}}', $table, file_get_contents($file)));
        (require $migration)->up();
    }
});

Artisan::command('app:batch {jobs} {--option=} {--slow-then} {--connection=}', function () use ($toJobs) {
    $batch = Bus::batch($toJobs(json_decode($this->argument('jobs'))))->name('sync')->allowFailures();
    if ($this->option('option') !== null) {
        $batch->withOption('batchprogress', json_decode($this->option('option'), true));
    }
    if ($this->option('connection') !== null) {
        $batch->onConnection($this->option('connection'));
    }
    if ($this->option('slow-then')) {
        $batch->then(fn () => sleep(3)); // longer than a QUEUE_RETRY_AFTER of 1
    }
    $this->line($batch->dispatch()->id);
});

Artisan::command('app:add {batch} {jobs}', function () use ($toJobs) {
    Bus::findBatch($this->argument('batch'))->add($toJobs(json_decode($this->argument('jobs'))));
});

Artisan::command('app:cancel {batch}', function () {
    Bus::findBatch($this->argument('batch'))->cancel();
});

// What Horizon's job RetryFailedJob does for the button "retry": a new id, and no event before the push.
Artisan::command('app:retry-as-horizon {--hours-later=0}', function () {
    $now = microtime(true) + $this->option('hours-later') * 3_600;
    foreach (DB::table('failed_jobs')->get() as $failed) {
        $id = (string) Str::uuid();
        $payload = ['id' => $id, 'uuid' => $id, 'attempts' => 0, 'retry_of' => $failed->uuid, 'pushedAt' => (string) $now];
        Queue::connection($failed->connection)
            ->pushRaw(json_encode(array_merge(json_decode($failed->payload, true), $payload)), $failed->queue);
        DB::table('failed_jobs')->where('uuid', $failed->uuid)->delete();
    }
});
