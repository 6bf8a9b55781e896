<?php

return ['default' => 'app', 'connections' => ['app' => ['driver' => 'sqlite', 'database' => ':memory:']]];
