<?php

return [
    'default' => 'kept',
    'channels' => ['kept' => ['driver' => 'monolog', 'handler' => Monolog\Handler\TestHandler::class]],
];
