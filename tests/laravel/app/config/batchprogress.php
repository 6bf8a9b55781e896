<?php

return ['socket' => getenv('RELAY_SOCKET')];
