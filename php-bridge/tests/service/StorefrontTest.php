<?php

declare(strict_types=1);

namespace TradesyncTests\Service;

use TradesyncTests\Config;
use TradesyncTests\Database;
use TradesyncTests\Person;
use TradesyncTests\Response;
use TradesyncTests\ServiceCase;

/** The storefront's controller. */
final class StorefrontTest extends ServiceCase
{
    protected function setUp(): void
    {
        if (!class_exists('StorefrontTradesync', false)) {
            // Admin area and storefront name their classes alike, so one of the two goes by another name here.
            $code = file_get_contents(__DIR__ . '/../../upload/catalog/controller/extension/tradesync.php');
            eval('?>' . str_replace('class ControllerExtensionTradesync ', 'class StorefrontTradesync ', $code));
        }
    }

    public function testACustomerNeedsTheSessionsOwnTokenAndToBeASeller(): void
    {
        $config = new Config();
        foreach (self::settings()->rows(['sellers' => 'customers', 'customer_group_id' => '1']) as $key => $value) {
            $config->set($key, $value);
        }
        $ask = function (int $customer, string $given, string $method = 'POST') use ($config): \stdClass {
            $registry = new \TradesyncTests\Registry();
            $registry->set('config', $config);
            $registry->set('db', new Database(self::stack()->mysqli()));
            $registry->set('customer', new Person($customer, 1));
            $registry->set('session', (object)['data' => ['tradesync_token' => 'of-this-session']]);
            $registry->set('request', (object)['get' => ['do' => 'state'], 'server' => ['REQUEST_METHOD' => $method, 'HTTP_X_TRADESYNC_TOKEN' => $given]]);
            $registry->set('response', new Response());
            $registry->set('language', new class {
                public function get(string $key): string
                {
                    return 'en';
                }
            });
            (new \StorefrontTradesync($registry))->api();

            return $registry->get('response')->json();
        };
        self::assertTrue($ask(41, 'of-this-session')->ok);
        self::assertSame('forbidden-here', $ask(41, '')->error->code);
        self::assertSame('forbidden-here', $ask(41, 'of-another-session')->error->code);
        self::assertSame('forbidden-here', $ask(41, 'of-this-session', 'GET')->error->code);
        self::assertSame('no-seller', $ask(0, 'of-this-session')->error->code);
        self::assertSame('no-seller', $ask(43, 'of-this-session')->error->code);
    }

    /** Event, one line in the module's template, OCMOD: together they still give one panel. */
    public function testAPageNeverHasTwoPanels(): void
    {
        foreach (['<div id="content" class="col-sm-9">x' => 1, '<div class="tradesync-panel"></div><div id="content">x' => 1, '<p>no content' => 0] as $page => $panels) {
            $registry = new \TradesyncTests\Registry();
            $config = new Config();
            foreach (self::settings()->rows(['sellers' => 'customers', 'customer_group_id' => '1']) as $key => $value) {
                $config->set($key, $value);
            }
            $registry->set('config', $config);
            $registry->set('db', new Database(self::stack()->mysqli()));
            $registry->set('customer', new Person(41, 1));
            $registry->set('session', (object)['data' => []]);
            $registry->set('request', (object)['get' => [], 'server' => ['HTTPS' => false]]);
            $registry->set('response', new Response());
            $registry->set('url', new class {
                public function link(string $route): string
                {
                    return 'http://shop.example/index.php?route=' . $route;
                }
            });
            $registry->set('language', new class {
                public function get(string $key): string
                {
                    return 'ru';
                }
            });
            $registry->get('response')->setOutput($page);
            $route = $data = $output = null;
            (new \StorefrontTradesync($registry))->marketplacePage($route, $data, $output);
            self::assertSame($panels, substr_count($registry->get('response')->getOutput(), 'class="tradesync-panel"'), $page);
        }
    }
}
