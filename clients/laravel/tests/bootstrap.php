<?php

// Composer's autoloader; or, without Composer, that of Laravel in the include path, and what Composer would do
// for this package.
if (is_file($composer = __DIR__ . '/../vendor/autoload.php')) {
    require $composer;
} else {
    require_once 'Illuminate/autoload.php';
    $package = json_decode(file_get_contents(__DIR__ . '/../composer.json'), true);
    $prefixes = $package['autoload-dev']['psr-4'] + $package['autoload']['psr-4'];
    spl_autoload_register(function (string $class) use ($prefixes): void {
        foreach ($prefixes as $prefix => $folder) {
            if (str_starts_with($class, $prefix)) {
                require __DIR__ . "/../$folder" . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';

                return;
            }
        }
    });
}
