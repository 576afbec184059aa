<?php

namespace Tradesync;

/**
 * An OCMOD that puts the panel into a page of a marketplace module whose files must stay as they are: the route is a setting.
 *
 * Needed only where the place above the page's content, which the event gives, does not fit. Refreshing the modifications applies it.
 */
final class Ocmod
{
    /** OpenCart's code of the modification: a package of the same code takes the place of the one before. */
    public const CODE = 'tradesync-page';

    /**
     * The modification for one storefront page.
     *
     * @param string $route route of the page, as Settings holds it: letters, digits, `_` and `/`
     */
    public static function xml(string $route): string
    {
        $controllers = [];
        $templates = [];
        foreach (self::places($route) as $place) {
            $controllers[] = 'catalog/controller/' . $place . '.php';
            $templates[] = 'catalog/view/theme/*/template/' . $place . '.twig';
        }
        $lines = [
            '<?xml version="1.0" encoding="utf-8"?>',
            '<modification>',
            '  <name>tradesync: ' . $route . '</name>',
            '  <code>' . self::CODE . '</code>',
            '  <version>' . Settings::VERSION . '</version>',
            '  <author>tradesync</author>',
            '  <!-- Every page asks for its header: the panel is asked for in the line below. -->',
            '  <file path="' . implode('|', $controllers) . '">',
            '    <operation error="skip">',
            '      <search index="0"><![CDATA[$this->load->controller(\'common/header\')]]></search>',
            '      <add position="after"><![CDATA[$data[\'tradesync\'] = $this->load->controller(\'extension/tradesync/widget\');]]></add>',
            '    </operation>',
            '  </file>',
            '  <!-- Where the panel stands: put another line of the template here if it belongs elsewhere. -->',
            '  <file path="' . implode('|', $templates) . '">',
            '    <operation error="skip">',
            '      <search index="0"><![CDATA[{{ content_top }}]]></search>',
            '      <add position="after"><![CDATA[{{ tradesync }}]]></add>',
            '    </operation>',
            '  </file>',
            '</modification>',
        ];

        return implode("\n", $lines) . "\n";
    }

    /**
     * The same as a package for OpenCart's Extension Installer.
     *
     * @throws Problem if it cannot be written
     */
    public static function package(string $route): string
    {
        $file = (string)Quietly::call('tempnam', sys_get_temp_dir(), 'tradesync');
        $zip = new \ZipArchive();
        $made = $zip->open($file, \ZipArchive::OVERWRITE) === true
            && $zip->addFromString('install.xml', self::xml($route)) && $zip->close();
        $bytes = $made ? (string)file_get_contents($file) : '';
        Quietly::call('unlink', $file);
        if ($bytes === '') {
            throw new Problem(Problem::NO_FILE);
        }

        return $bytes;
    }

    /** A route names a file, or a file and its method: `a/b/c` is `a/b/c.php`, or the method `c` of `a/b.php`. */
    private static function places(string $route): array
    {
        $parts = explode('/', $route);
        array_pop($parts);

        return count($parts) < 2 ? [$route] : [$route, implode('/', $parts)];
    }
}
