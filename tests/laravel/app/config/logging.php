<?php

return [
    'default' => 'file',
    'channels' => [
        'file' => [
            'driver' => 'monolog',
            'handler' => Monolog\Handler\StreamHandler::class,
            'with' => ['stream' => storage_path('log')],
        ],
    ],
];
