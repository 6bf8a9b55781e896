<?php

namespace BatchProgress\Laravel\Tests;

use BatchProgress\Laravel\Tests\Jobs\Work;
use Illuminate\Bus\Batch;
use Illuminate\Console\Application as ConsoleApplication;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Filesystem\Filesystem;
use Illuminate\Foundation\Application;
use Illuminate\Queue\Console\WorkCommand;
use Illuminate\Queue\Queue;
use Illuminate\Queue\Worker;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Bus;
use Illuminate\Support\Facades\Facade;
use Monolog\Handler\TestHandler;
use PHPUnit\Framework\TestCase as PhpUnitTestCase;
use ReflectionClass;

/** A new Laravel application for each test, with the package and its own database. */
abstract class TestCase extends PhpUnitTestCase
{
    private const CALL_SECONDS_MAX = 20.0;

    protected Application $app;

    private string $folder;

    protected function setUp(): void
    {
        parent::setUp();
        $this->folder = sys_get_temp_dir() . '/batchprogress-' . bin2hex(random_bytes(8));
        foreach (['bootstrap/cache', 'config', 'storage/framework/views', 'vendor/composer'] as $name) {
            mkdir("$this->folder/$name", recursive: true);
        }
        foreach (glob(__DIR__ . '/app/config/*.php') as $file) {
            copy($file, "$this->folder/config/" . basename($file));
        }
        file_put_contents("$this->folder/vendor/composer/installed.json", '{"packages": []}');
        $this->app = new Application($this->folder);
        $this->app->singleton(Kernel::class, \Illuminate\Foundation\Console\Kernel::class);
        $this->app->singleton(ExceptionHandler::class, \Illuminate\Foundation\Exceptions\Handler::class);
        $this->app->make(Kernel::class)->bootstrap();
        $this->createTables();
    }

    protected function tearDown(): void
    {
        $this->app->flush();
        $this->forgetProcessState();
        Work::$isBroken = false;
        (new Filesystem())->deleteDirectory($this->folder);
        parent::tearDown();
    }

    /** Dispatch a batch whose failures do not cancel it. */
    protected function dispatch(string ...$jobs): Batch
    {
        return Bus::batch(Work::each(...$jobs))->name('Import')->allowFailures()->dispatch();
    }

    /** Run jobs until the queue is empty. */
    protected function work(int $tries = 1): void
    {
        Artisan::call('queue:work', ['--stop-when-empty' => true, '--tries' => $tries, '--sleep' => 0]);
    }

    /** Return a batch as the server has it; null if it does not know it. */
    protected function batch(string $batchId): ?array
    {
        $context = stream_context_create(['http' => ['timeout' => self::CALL_SECONDS_MAX, 'ignore_errors' => true]]);
        $url = config('batchprogress.url') . '/v1/batch?' . http_build_query(['batch_id' => $batchId]);
        $answer = json_decode(file_get_contents($url, false, $context), true);
        self::assertContains($answer['code'] ?? 'ok', ['ok', 'not_found']);

        return $answer['batch'] ?? null;
    }

    /** Return the error details of the failed jobs of a batch. */
    protected function errorDetails(string $batchId): array
    {
        $failed = $this->read('ListJobResults', ['batchId' => $batchId, 'outcome' => 'JOB_OUTCOME_FAILED'])['jobResults'];

        return array_map(function (array $result) use ($batchId): string {
            $job = ['batchId' => $batchId, 'jobId' => $result['jobId']];

            return $this->read('GetJobResult', $job)['jobResult']['errorDetails'];
        }, $failed);
    }

    /** Return the answer to a call of the server. */
    private function read(string $method, array $request): array
    {
        $context = stream_context_create(['http' => [
            'method' => 'POST',
            'header' => 'Content-Type: application/json',
            'content' => json_encode($request),
            'timeout' => self::CALL_SECONDS_MAX,
        ]]);
        $url = config('batchprogress.url') . "/batchprogress.v1.ProgressService/$method";

        return json_decode(file_get_contents($url, false, $context), true);
    }

    /** Expect the tallies of a batch on the server. */
    protected function assertTallies(string $batchId, int $total, int $succeeded, int $failed = 0, int $skipped = 0): void
    {
        $batch = $this->batch($batchId);
        self::assertNotNull($batch);
        $found = [$batch['totalJobs'], $batch['succeededJobs'], $batch['failedJobs'], $batch['skippedJobs']];
        self::assertSame([$total, $succeeded, $failed, $skipped], array_map(intval(...), $found));
    }

    /** @return list<string> what the package logged */
    protected function logged(): array
    {
        $handler = $this->app->make('log')->channel()->getLogger()->getHandlers()[0];
        self::assertInstanceOf(TestHandler::class, $handler);

        return array_values(array_filter(
            array_map(fn ($record) => $record['message'], $handler->getRecords()),
            fn (string $message) => str_starts_with($message, 'Batch Progress: '),
        ));
    }

    /** Undo what Laravel keeps for the whole process, which has one application elsewhere. */
    private function forgetProcessState(): void
    {
        Facade::clearResolvedInstances();
        Queue::createPayloadUsing(null);
        ConsoleApplication::forgetBootstrappers();
        if (method_exists(WorkCommand::class, 'flushState')) { // since Laravel 11
            WorkCommand::flushState();
        }
        restore_error_handler();
        restore_exception_handler();
    }

    /** Create the tables of Laravel's own migrations. */
    private function createTables(): void
    {
        $stubs = dirname((new ReflectionClass(Worker::class))->getFileName()) . '/Console/stubs';
        foreach (['jobs' => 'jobs', 'failed_jobs' => 'failed_jobs', 'batches' => 'job_batches'] as $stub => $table) {
            $migration = "$this->folder/storage/$stub.php";
            file_put_contents($migration, str_replace('{{table}}', $table, file_get_contents("$stubs/$stub.stub")));
            (require $migration)->up();
        }
    }
}
