<?php

namespace Tradesync;

/**
 * The bridge's texts: one file per language, for admin area and storefront alike.
 */
final class Words
{
    /** Language of the service => our file. */
    private const FILES = ['ru' => 'ru-ru', 'uz' => 'uz-uz', 'en' => 'en-gb'];

    /**
     * OpenCart's code of a language (`ru`, `ru-ru`, `uz-uz`, `en-gb` ...) as the service's; unknown ones are English.
     */
    public static function language(string $code): string
    {
        $short = strtolower(substr($code, 0, 2));

        return isset(self::FILES[$short]) ? $short : 'en';
    }

    /**
     * All texts of a language, key => text.
     *
     * @return array<string, string>
     */
    public static function all(string $language): array
    {
        return require __DIR__ . '/language/' . self::FILES[$language] . '.php';
    }

    /**
     * The texts that scripts use: those beginning with `js_`, without that beginning, and `problem_x` as `fault_x`, for failed runs.
     *
     * @return array<string, string>
     */
    public static function forScripts(string $language): array
    {
        $texts = [];
        foreach (self::all($language) as $key => $text) {
            if (strpos($key, 'js_') === 0) {
                $texts[substr($key, 3)] = $text;
            } elseif (strpos($key, 'problem_') === 0) {
                $texts['fault_' . substr($key, 8)] = $text;
            }
        }

        return $texts;
    }

    /**
     * A problem for people: `text` says what is wrong and what to do, in the reader's language; `detail` is what the service said about
     * this one case, if it says more. Addresses and paths of our own side are for the administrator alone.
     *
     * @return array{code: string, text: string, detail: string, run: string|null}
     */
    public static function problem(Problem $problem, string $language, bool $administrator = true): array
    {
        $texts = self::all($language);
        $key = 'problem_' . str_replace('-', '_', $problem->name);
        $detail = $problem->isOurs() && !$administrator ? '' : $problem->getMessage();
        foreach ($problem->fields as $field) {
            $wrong = self::field((string)($field->pointer ?? ''), $texts) . ': ' . (string)($field->detail ?? '');
            $detail .= ($detail === '' ? '' : ' ') . $wrong;
        }

        return [
            'code' => $problem->name,
            'text' => $texts[$key] ?? $texts['problem_other'],
            'detail' => $detail,
            'run' => $problem->run,
        ];
    }

    /** A field as its label in the form says, with the name that the service has for it; the name alone where no form shows it. */
    private static function field(string $pointer, array $texts): string
    {
        $name = ltrim($pointer, '/');
        $parts = explode('/', preg_replace('#^(settings|secrets)/#', '', $name));
        foreach (['js_set_' . $parts[0], 'js_' . end($parts)] as $key) {
            if (isset($texts[$key])) {
                return '«' . $texts[$key] . '» (' . $name . ')';
            }
        }

        return $name;
    }
}
