<?php

declare(strict_types=1);

namespace TradesyncTests;

use PHPUnit\Framework\TestCase;
use Tradesync\Client;
use Tradesync\Input;
use Tradesync\Office;
use Tradesync\Panel;
use Tradesync\Problem;
use Tradesync\Seal;
use Tradesync\Settings;
use Tradesync\Shop;

require_once __DIR__ . '/Fakes.php';

/**
 * A test against the real service. One stack serves all of them; each test class makes sellers of its own.
 */
abstract class ServiceCase extends TestCase
{
    /** @var Stack|null */
    private static $stack;

    protected static function stack(): Stack
    {
        if (self::$stack === null) {
            self::$stack = new Stack(60);
            self::$stack->loadSchema();
            self::$stack->serve();
            self::people(self::$stack->mysqli());
            register_shutdown_function([self::$stack, 'stop']);
        }

        return self::$stack;
    }

    /** Settings of a shop in which sellers are admin users of group 20. */
    protected static function settings(array $other = []): Settings
    {
        @mkdir(DIR_STORAGE);
        $stack = self::stack();
        $seal = new Seal(DIR_STORAGE . 'tradesync_key.php');
        $config = new Config();
        $empty = new Settings($config, new Database($stack->mysqli()), $seal, 'en');
        $rows = $empty->rows(
            $other + ['url' => $stack->service, 'user_group_id' => '20', 'customer_group_id' => '1'],
            ['admin_key' => $stack->adminKey, 'seller_key' => $stack->sellerKey, 'bridge_secret' => 'a-secret-of-the-tests']
        );
        foreach ($rows as $key => $value) {
            $config->set($key, $value);
        }

        return $empty;
    }

    /** The configuration behind settings(), for controllers. */
    protected static function config(): Config
    {
        $property = new \ReflectionProperty(Settings::class, 'config');
        $property->setAccessible(true);

        return $property->getValue(self::settings());
    }

    protected static function panel(string $seller): Panel
    {
        $settings = self::settings();

        return new Panel($settings->onBehalfOf($settings->sellers()->get($seller)));
    }

    protected static function office(): Office
    {
        $settings = self::settings();

        return new Office($settings, new Shop($settings, 'http://shop.example/'));
    }

    protected static function in(array $values = []): Input
    {
        return Input::read(json_encode((object)$values));
    }

    /** Connects a seller to the simulated Billz 2; returns the connection's id. */
    protected static function connect(string $seller, array $settings = []): string
    {
        $settings += [
            'api' => 'billz2', 'base_url' => self::stack()->billz2, 'unmapped_category' => 'default', 'default_category_id' => 33,
            'rates' => ['USD' => '12650'], 'read_reuse' => '0s', 'new_products' => 'live', 'currency' => 'UZS',
        ];
        $body = ['seller' => $seller, 'enabled' => true, 'secret' => Stack::BILLZ_KEY, 'settings' => $settings];

        return self::office()->act('saveSeller', self::in($body))->id;
    }

    /** Looks at a run until it has ended. */
    protected static function ended(Panel $panel, string $run): \stdClass
    {
        $now = null;
        Stack::until(function () use ($panel, $run, &$now) {
            $now = $panel->act('run', self::in(['run' => $run]));

            return !in_array($now->state, ['queued', 'running'], true);
        }, 'the end of the run', 60);

        return $now;
    }

    /** The problem that a call ends with. */
    protected static function problem(callable $call): Problem
    {
        try {
            $call();
        } catch (Problem $problem) {
            return $problem;
        }
        self::fail('it was done');
    }

    protected static function client(string $url, string $key = 'ts_some_key_of_the_tests', string $caFile = ''): Client
    {
        return new Client($url, $key, 'ru', null, $caFile, 3);
    }

    private static function people(\mysqli $db): void
    {
        foreach ([[41, 'aziza', 1], [42, 'botir', 1], [43, 'gone', 0]] as list($id, $name, $status)) {
            $db->query("INSERT INTO oc_user SET user_id = $id, user_group_id = 20, username = '$name', salt = '', password = '', firstname = '" . ucfirst($name) . "', "
                . "lastname = 'O&quot;z', email = '', image = '', code = '', ip = '', status = $status, date_added = NOW()");
            $db->query("INSERT INTO oc_customer SET customer_id = $id, customer_group_id = 1, language_id = 1, firstname = '" . ucfirst($name) . "', lastname = '', "
                . "email = '$name@example.com', telephone = '', fax = '', password = '', salt = '', custom_field = '', ip = '', status = $status, safe = 1, token = '', code = '', date_added = NOW()");
        }
        $db->query("CREATE TABLE oc_vendor (vendor_id VARCHAR(20) PRIMARY KEY, title VARCHAR(60), works CHAR(1), customer VARCHAR(20))");
        $db->query("INSERT INTO oc_vendor VALUES ('7', 'Seven', 'y', '41'), ('8', 'Eight', 'n', '42'), ('9', 'Nine', 'y', '43'), ('10', 'Twin', 'y', '43')");
    }
}
