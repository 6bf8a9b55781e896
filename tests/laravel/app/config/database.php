<?php

return [
    'default' => 'app',
    'connections' => [
        'app' => [
            'driver' => getenv('DB_DRIVER'),
            'host' => getenv('DB_HOST'),
            'port' => getenv('DB_PORT'),
            'database' => getenv('DB_DATABASE'),
            'username' => getenv('DB_USERNAME'),
            'password' => getenv('DB_PASSWORD'),
        ],
    ],
    'redis' => ['client' => 'phpredis', 'default' => ['url' => getenv('REDIS_URL')]],
];
