<?php

declare(strict_types=1);

namespace TradesyncTests\Service;

use Tradesync\Office;
use Tradesync\Panel;
use TradesyncTests\Database;
use TradesyncTests\Person;
use TradesyncTests\Registry;
use TradesyncTests\Response;
use TradesyncTests\ServiceCase;

/** OpenCart's rights and its token, on every action of the real controllers. */
final class PermissionsTest extends ServiceCase
{
    private const UPLOAD = __DIR__ . '/../../upload/';
    private const TOKEN = 'token-of-the-session';

    public static function setUpBeforeClass(): void
    {
        require_once self::UPLOAD . 'admin/controller/extension/tradesync.php';
        require_once self::UPLOAD . 'admin/controller/extension/module/tradesync.php';
    }

    public function testASellerWithTheRightsIsAnswered(): void
    {
        $answer = $this->askPanel($this->registry(41, 20, ['access', 'modify']), 'state');
        self::assertTrue($answer->ok, json_encode($answer));
    }

    public function testReadingNeedsAccessAndChangingNeedsModify(): void
    {
        foreach (Panel::ACTIONS as $action => $changes) {
            self::assertSame('forbidden-here', $this->askPanel($this->registry(41, 20, []), $action)->error->code, $action);
            if ($changes) {
                self::assertSame('forbidden-here', $this->askPanel($this->registry(41, 20, ['access']), $action)->error->code, $action);
            }
        }
        self::assertSame('forbidden-here', $this->askPanel($this->registry(41, 20, ['access']), 'of tomorrow')->error->code);
    }

    public function testAWrongTokenAndAnotherMethodAreRefused(): void
    {
        foreach (array_keys(Panel::ACTIONS) as $action) {
            foreach (['', 'another-token'] as $token) {
                $registry = $this->registry(41, 20, ['access', 'modify'], $token);
                self::assertSame('forbidden-here', $this->askPanel($registry, $action)->error->code, $action);
            }
            $registry = $this->registry(41, 20, ['access', 'modify'], self::TOKEN, 'GET');
            self::assertSame('forbidden-here', $this->askPanel($registry, $action)->error->code, $action);
        }
    }

    public function testWhoIsNoSellerIsToldSo(): void
    {
        $answer = $this->askPanel($this->registry(1, 1, ['access', 'modify']), 'state');
        self::assertSame('no-seller', $answer->error->code);
        self::assertSame('no-seller', $this->askPanel($this->registry(43, 20, ['access', 'modify']), 'state')->error->code, 'switched off');
    }

    public function testTheAdministratorsPagesAreForAdministrators(): void
    {
        foreach (Office::ACTIONS + ['sellers' => false, 'categories' => false, 'products' => false] as $action => $changes) {
            self::assertSame('forbidden-here', $this->askOffice($this->registry(41, 20, ['access', 'modify']), $action)->error->code, $action . ' for a seller');
            if ($changes) {
                $reader = $this->registry(1, 1, ['access'], self::TOKEN, 'POST', 'extension/module/tradesync');
                self::assertSame('forbidden-here', $this->askOffice($reader, $action)->error->code, $action . ' without modify');
            }
            $forged = $this->registry(1, 1, ['access', 'modify'], 'another-token', 'POST', 'extension/module/tradesync');
            self::assertSame('forbidden-here', $this->askOffice($forged, $action)->error->code, $action . ' with another token');
        }
        $administrator = $this->registry(1, 1, ['access', 'modify'], self::TOKEN, 'POST', 'extension/module/tradesync');
        self::assertTrue($this->askOffice($administrator, 'connections')->ok);
    }

    public function testASellersPanelIsOpenedByAnAdministratorOnly(): void
    {
        $seller = $this->registry(42, 20, ['access', 'modify']);
        $seller->get('request')->get['seller'] = '41';
        $seller->get('request')->get['do'] = 'state';
        (new \ControllerExtensionModuleTradesync($seller))->panelApi();
        self::assertSame('forbidden-here', $seller->get('response')->json()->error->code);
        self::assertContains('HTTP/1.1 403 Forbidden', $seller->get('response')->headers);
        $administrator = $this->registry(1, 1, ['access'], self::TOKEN, 'POST', 'extension/module/tradesync');
        $administrator->get('request')->get += ['seller' => '41', 'do' => 'state'];
        (new \ControllerExtensionModuleTradesync($administrator))->panelApi();
        self::assertTrue($administrator->get('response')->json()->ok);
    }

    public function testAReportOfAnotherSellerIsNotSent(): void
    {
        foreach ([[], ['access']] as $rights) {
            $registry = $this->registry(41, 20, $rights);
            $registry->get('request')->get['run'] = 'somebody-elses';
            (new \ControllerExtensionTradesync($registry))->csv();
            self::assertStringStartsWith('HTTP/1.1 40', $registry->get('response')->headers[0]);
            self::assertStringNotContainsString(';', $registry->get('response')->output);
        }
    }

    private function askPanel(Registry $registry, string $action): \stdClass
    {
        $registry->get('request')->get['do'] = $action;
        (new \ControllerExtensionTradesync($registry))->api();

        return $registry->get('response')->json();
    }

    private function askOffice(Registry $registry, string $action): \stdClass
    {
        $registry->get('request')->get['do'] = $action;
        (new \ControllerExtensionModuleTradesync($registry))->api();

        return $registry->get('response')->json();
    }

    private function registry(
        int $user,
        int $group,
        array $types,
        string $token = self::TOKEN,
        string $method = 'POST',
        string $route = 'extension/tradesync'
    ): Registry {
        $registry = new Registry();
        $registry->set('config', self::config());
        $registry->set('db', new Database(self::stack()->mysqli()));
        $registry->set('user', new Person($user, $group, array_fill_keys($types, [$route])));
        $registry->set('session', (object)['data' => ['user_token' => self::TOKEN]]);
        $registry->set('request', (object)['get' => ['user_token' => $token], 'post' => [], 'server' => ['REQUEST_METHOD' => $method, 'HTTPS' => false]]);
        $registry->set('response', new Response());
        $registry->set('language', new class {
            public function get(string $key): string
            {
                return $key === 'code' ? 'en' : $key;
            }
        });

        return $registry;
    }
}
