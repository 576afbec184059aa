<?php

namespace Tradesync;

/**
 * Between OpenCart's controllers and our classes: runs an action and writes its JSON answer; builds the elements that scripts fill.
 */
final class Door
{
    /** Scripts in the order in which they need each other. */
    private const PANEL = ['tradesync.js', 'report.js', 'dialogs.js', 'panel.js'];
    private const OFFICE = ['tradesync.js', 'report.js', 'matching.js', 'trust.js', 'seller.js', 'office.js'];

    /**
     * Writes `{"ok": true, "data": ...}`, or `{"ok": false, "error": {"code", "text", "detail", "run"}}`.
     *
     * A problem is answered with status 200: hosts that replace the pages of other statuses by their own must not swallow its words. Only a
     * person who may not ask at all gets 403.
     *
     * @param \Response $response      OpenCart's response
     * @param string    $language      ru, uz or en
     * @param callable  $do            the action; its answer becomes `data`
     * @param bool      $administrator whether details of our own side may be shown
     */
    public static function answer($response, string $language, callable $do, bool $administrator = false): void
    {
        try {
            $answer = ['ok' => true, 'data' => $do()];
        } catch (Problem $problem) {
            if (in_array($problem->name, [Problem::FORBIDDEN_HERE, Problem::NO_SELLER], true)) {
                $response->addHeader('HTTP/1.1 403 Forbidden');
            }
            $answer = ['ok' => false, 'error' => Words::problem($problem, $language, $administrator)];
        }
        $response->addHeader('Content-Type: application/json; charset=utf-8');
        $response->addHeader('Cache-Control: no-store');
        $response->setOutput(json_encode($answer, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE));
    }

    /**
     * Sends a run's report as a file, or an error as a page of one sentence. Ends the request: the report does not fit OpenCart's response.
     *
     * @param \Response $response OpenCart's response, for the error
     * @param callable  $open     gives the panel; throws Problem if the visitor may not
     * @param array     $query    PHP's $_GET
     */
    public static function csv($response, string $language, callable $open, array $query): void
    {
        // Short reports stay in memory, long ones go to a temporary file.
        $file = fopen('php://temp/maxmemory:4194304', 'w+b');
        try {
            $in = new Input((object)array_intersect_key($query, ['run' => 1, 'outcome' => 1]));
            $run = $in->id('run');
            $open()->csv($in, $file);
        } catch (Problem $problem) {
            $response->addHeader('HTTP/1.1 ' . ($problem->name === 'not-found' ? '404 Not Found' : '403 Forbidden'));
            $response->addHeader('Content-Type: text/plain; charset=utf-8');
            $response->setOutput(Words::problem($problem, $language)['text']);

            return;
        }
        $length = ftell($file);
        rewind($file);
        header('Content-Type: text/csv; charset=utf-8');
        header('Content-Disposition: attachment; filename="tradesync-' . $run . '.csv"');
        header('Content-Length: ' . $length);
        header('Cache-Control: no-store');
        fpassthru($file);
        exit;
    }

    /**
     * The seller's panel as HTML that can stand anywhere in a page with jQuery and Bootstrap 3.
     *
     * @param string $assets address of the storefront, for scripts and styles
     * @param array  $config what panel.js needs: api, csv, token, modify
     */
    public static function panel(string $assets, array $config, Settings $settings): string
    {
        return self::element('tradesync-panel', self::PANEL, $assets, $config, $settings);
    }

    /**
     * One of the administrator's pages as HTML.
     *
     * @param string $assets address of the storefront, for scripts and styles
     * @param array  $config what office.js needs
     */
    public static function office(string $assets, array $config, Settings $settings): string
    {
        return self::element('tradesync-office', self::OFFICE, $assets, $config, $settings);
    }

    private static function element(string $class, array $scripts, string $assets, array $config, Settings $settings): string
    {
        $config += [
            'language' => $settings->language(),
            'texts' => Words::forScripts($settings->language()),
            'timezone' => $settings->get('timezone'),
        ];
        $folder = $assets . 'catalog/view/javascript/tradesync/';
        $html = '<link rel="stylesheet" type="text/css" href="' . self::attribute($folder . 'tradesync.css?v=' . Settings::VERSION) . '">'
            . '<div class="' . $class . '" data-tradesync="' . self::attribute(json_encode($config, JSON_UNESCAPED_UNICODE)) . '">'
            . '<noscript>' . self::attribute($config['texts']['noscript']) . '</noscript></div>';
        foreach ($scripts as $script) {
            $html .= '<script src="' . self::attribute($folder . $script . '?v=' . Settings::VERSION) . '"></script>';
        }

        return $html;
    }

    private static function attribute(string $text): string
    {
        return htmlspecialchars($text, ENT_QUOTES, 'UTF-8');
    }
}
