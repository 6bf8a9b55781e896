<?php

use BatchProgress\Laravel\BatchProgressServiceProvider;
use Illuminate\Support\ServiceProvider;

return [
    'name' => 'application',
    'env' => 'testing',
    'debug' => true,
    'key' => 'base64:' . base64_encode(str_repeat('k', 32)),
    'cipher' => 'AES-256-CBC',
    'timezone' => 'UTC',
    'locale' => 'en',
    'fallback_locale' => 'en',
    'providers' => ServiceProvider::defaultProviders()->merge([BatchProgressServiceProvider::class])->toArray(),
];
