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
        self::assertSame('wrong settings/stock_cap: too small', $told['detail']);
        self::assertSame(Words::all('uz')['problem_other'], Words::problem(new Problem('a-code-of-tomorrow'), 'uz')['text']);
    }

    private static function places(string $text): array
    {
        preg_match_all('/\{\w+\}/', $text, $found);
        sort($found[0]);

        return $found[0];
    }
}
