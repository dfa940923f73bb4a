<?php

WP_CLI::add_command( 'akismet', 'Akismet_CLI' );

/**
