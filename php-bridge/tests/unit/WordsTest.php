<?php

declare(strict_types=1);

namespace TradesyncTests\Unit;

use PHPUnit\Framework\TestCase;
use Tradesync\Problem;
use Tradesync\Words;
use TradesyncTests\Stack;

final class WordsTest extends TestCase
{
    private const SCRIPTS = __DIR__ . '/../../upload/catalog/view/javascript/tradesync/';

    public function testEveryLanguageHasTheSameKeysAndPlaces(): void
    {
        $english = Words::all('en');
        foreach (['ru', 'uz'] as $language) {
            $texts = Words::all($language);
            self::assertSame(array_keys($english), array_keys($texts), $language);
            foreach ($english as $key => $text) {
                self::assertNotSame('', $texts[$key], "$language $key");
                self::assertSame(self::places($text), self::places($texts[$key]), "$language $key");
            }
        }
    }

    public function testUzbekIsWrittenInLatinLetters(): void
    {
        foreach (Words::all('uz') as $key => $text) {
            self::assertDoesNotMatchRegularExpression('/\p{Cyrillic}/u', $text, $key);
            self::assertDoesNotMatchRegularExpression("/[oOgG]['`’‘]/u", $text, "$key: oʻ and gʻ are written with ʻ");
        }
    }

    public function testEveryCodeOfTheServiceHasASentence(): void
    {
        preg_match_all('/^ {4}[A-Z]\w+, "([a-z-]+)", /m', file_get_contents(Stack::root() . '/src/fault/codes.rs'), $codes);
        self::assertGreaterThan(35, count($codes[1]), 'the table of codes is read');
        foreach ($codes[1] as $code) {
            self::assertArrayHasKey('problem_' . str_replace('-', '_', $code), Words::all('en'), $code);
        }
    }

    /** What the service writes into the audit is told in words, and what can be locked is offered. */
    public function testEveryActAndEveryFieldThatCanBeLockedIsKnownToThePage(): void
    {
        $page = file_get_contents(self::SCRIPTS . 'trust.js');
        $acts = ['sync.start', 'keys.create', 'keys.revoke'];
        foreach (glob(Stack::root() . '/src/api/*.rs') as $file) {
            preg_match_all('/^#\[(post|put|patch|delete)\("([^"]+)"\)\]/m', file_get_contents($file), $routes, PREG_SET_ORDER);
            foreach ($routes as list(, $method, $route)) {
                $acts[] = $this->act($method, $route);
            }
        }
        $acts = array_unique($acts);
        self::assertGreaterThan(25, count($acts));
        // These change nothing, so the service does not write them down; the last ones are another flow's.
        foreach (array_diff($acts, ['connections.check', 'streams.discover']) as $act) {
            if (strpos($act, '.mapping-test') === false && strpos($act, 'hooks') === false && strpos($act, 'page-links') === false) {
                self::assertArrayHasKey('js_act_' . str_replace(['.', '-'], '_', $act), Words::all('en'), $act);
                self::assertStringContainsString("'" . $act . "'", $page, 'the filter offers it');
            }
        }
        preg_match('/const LOCKABLE: &\[&str\] =\s*&\[([^\]]+)\]/', file_get_contents(Stack::root() . '/src/flows/billz_opencart/mod.rs'), $fields);
        preg_match('/var FIELDS = \[([^\]]+)\]/', $page, $offered);
        self::assertSame(str_replace('"', "'", $fields[1]), $offered[1]);
    }

    /** The service's own name of an act (src/engine/audit.rs). */
    private function act(string $method, string $route): string
    {
        $parts = explode('/', trim($route, '/'));
        $last = end($parts);
        preg_match('/const VERBS: &\[&str\] = &\[([^\]]+)\]/', file_get_contents(Stack::root() . '/src/engine/audit.rs'), $verbs);
        $isVerb = strpos($verbs[1], '"' . $last . '"') !== false;
        $names = array_filter($isVerb ? array_slice($parts, 0, -1) : $parts, function ($part) {
            return $part[0] !== '{';
        });
        $done = ['post' => $last[0] === '{' ? 'start' : 'create', 'put' => 'set', 'patch' => 'change', 'delete' => 'delete'][$method];

        return end($names) . '.' . ($isVerb ? $last : $done);
    }

    public function testEveryProblemOfOursHasASentence(): void
    {
        foreach ((new \ReflectionClass(Problem::class))->getConstants() as $name) {
            self::assertArrayHasKey('problem_' . str_replace('-', '_', $name), Words::all('en'));
        }
    }

    public function testEveryTextThatAScriptNamesExists(): void
    {
        $texts = Words::forScripts('en');
        $named = 0;
        foreach (glob(self::SCRIPTS . '*.js') as $file) {
            preg_match_all("/\\.t\\('(\\w+)'[,)]/", file_get_contents($file), $keys);
            foreach ($keys[1] as $key) {
                ++$named;
                self::assertArrayHasKey($key, $texts, basename($file));
            }
        }
        self::assertGreaterThan(150, $named);
    }

    public function testNoTextIsLeftOver(): void
    {
        $source = '';
        $folder = __DIR__ . '/../../upload';
        foreach (new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator($folder, \FilesystemIterator::SKIP_DOTS)) as $file) {
            if (strpos($file->getPathname(), '/language/') === false) {
                $source .= file_get_contents($file->getPathname());
            }
        }
        foreach (array_keys(Words::all('en')) as $key) {
            $word = preg_replace('/^js_/', '', $key);
            // Whole, or put together at run time out of a beginning that is named and an end that is data (`state_` + `failed`).
            $found = strpos($source, $word) !== false;
            for ($cut = strlen($word); !$found && ($cut = strrpos(substr($word, 0, $cut), '_')) !== false;) {
                $found = strpos($source, "'" . substr($word, 0, $cut + 1) . "'") !== false;
            }
            self::assertTrue($found, "nobody uses $key");
        }
    }

    public function testALanguageOfOpenCartIsOneOfTheService(): void
    {
        $pairs = ['ru' => 'ru', 'ru-ru' => 'ru', 'uz-uz' => 'uz', 'uz' => 'uz', 'en-gb' => 'en', 'de-de' => 'en', '' => 'en'];
        foreach ($pairs as $code => $language) {
            self::assertSame($language, Words::language($code));
        }
    }

    public function testAProblemIsASentenceWithTheServicesDetail(): void
    {
        $problem = new Problem('validation-failed', 'wrong', 422, null, [(object)['pointer' => '/settings/stock_cap', 'detail' => 'too small']]);
        $told = Words::problem($problem, 'ru');
        self::assertStringContainsString('заполнено неверно', $told['text']);
        self::assertSame('wrong «Показывать не больше, шт.» (settings/stock_cap): too small', $told['detail']);
        foreach (['secrets/username' => '«USERNAME billz» (secrets/username)', 'window/from' => '«С» (window/from)', 'items/3' => 'items/3'] as $name => $label) {
            $problem = new Problem('validation-failed', '', 422, null, [(object)['pointer' => '/' . $name, 'detail' => 'no']]);
            self::assertSame($label . ': no', Words::problem($problem, 'ru')['detail']);
        }
        self::assertSame(Words::all('uz')['problem_other'], Words::problem(new Problem('a-code-of-tomorrow'), 'uz')['text']);
    }

    public function testASellerIsNotToldTheServicesAddress(): void
    {
        $problem = new Problem(Problem::UNREACHABLE, 'Failed to connect to 10.0.0.7 port 8080');
        self::assertSame('', Words::problem($problem, 'en', false)['detail']);
        self::assertStringContainsString('10.0.0.7', Words::problem($problem, 'en', true)['detail']);
        self::assertSame('busy', Words::problem(new Problem('stream-busy', 'busy', 409), 'en', false)['detail']);
    }

    private static function places(string $text): array
    {
        preg_match_all('/\{\w+\}/', $text, $found);
        sort($found[0]);

        return $found[0];
    }
}
