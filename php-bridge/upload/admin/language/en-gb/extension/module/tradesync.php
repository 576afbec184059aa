<?php

// One file of texts serves admin area and storefront.
$_ = array_merge($_, require DIR_SYSTEM . 'library/tradesync/language/en-gb.php');
