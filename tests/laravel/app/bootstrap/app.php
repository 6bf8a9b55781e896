<?php

require_once 'Illuminate/autoload.php';

// What Composer's autoloader does for the application and for our package.
$package = json_decode(file_get_contents(__DIR__ . '/../vendor/batchprogress/laravel/composer.json'), true);
foreach (['App\\' => '../app/'] + $package['autoload']['psr-4'] as $prefix => $folder) {
    $folder = $prefix === 'App\\' ? __DIR__ . "/$folder" : __DIR__ . "/../vendor/batchprogress/laravel/$folder";
    spl_autoload_register(function (string $class) use ($prefix, $folder): void {
        if (str_starts_with($class, $prefix)) {
            require $folder . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
        }
    });
}

$app = new Illuminate\Foundation\Application(dirname(__DIR__));
$app->singleton(Illuminate\Contracts\Console\Kernel::class, App\Console\Kernel::class);
$app->singleton(Illuminate\Contracts\Debug\ExceptionHandler::class, Illuminate\Foundation\Exceptions\Handler::class);

return $app;
