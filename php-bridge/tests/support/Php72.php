<?php

declare(strict_types=1);

namespace TradesyncTests;

use PhpParser\Lexer\Emulative;
use PhpParser\Node;
use PhpParser\NodeFinder;
use PhpParser\ParserFactory;

/**
 * Says what in a file PHP 7.2 would not take. A real parser (Debian's php-parser, which PHPUnit brings) reads the file with the words that
 * 7.2 knew; what its grammar takes beyond that is looked for in the tree.
 */
final class Php72
{
    /** Kinds of nodes that came after 7.2, and in which version. */
    private const NEWER = [
        Node\Expr\ArrowFunction::class => '7.4', Node\Expr\AssignOp\Coalesce::class => '7.4', Node\Expr\Match_::class => '8.0',
        Node\Expr\NullsafePropertyFetch::class => '8.0', Node\Expr\NullsafeMethodCall::class => '8.0', Node\Expr\Throw_::class => '8.0',
        Node\AttributeGroup::class => '8.0', Node\UnionType::class => '8.0', Node\IntersectionType::class => '8.1', Node\Stmt\Enum_::class => '8.1',
        Node\VariadicPlaceholder::class => '8.1',
    ];
    /** Functions and constants that came after 7.2 and that one reaches for. */
    private const NAMES = [
        'str_contains', 'str_starts_with', 'str_ends_with', 'array_key_first', 'array_key_last', 'is_countable', 'hrtime', 'array_is_list',
        'mb_str_split', 'array_find', 'get_debug_type', 'fdiv', 'json_validate', 'password_algos', 'JSON_THROW_ON_ERROR',
    ];

    /** Whether the parser's version is one that this class knows: 4, as in Debian 12. */
    public static function canRead(): bool
    {
        require_once 'PhpParser/autoload.php';

        return method_exists(ParserFactory::class, 'create');
    }

    /**
     * @return string[] each with its line; empty if PHP 7.2 takes the code
     */
    public static function faults(string $code): array
    {
        require_once 'PhpParser/autoload.php';
        $lexer = new Emulative(['phpVersion' => '7.2', 'usedAttributes' => ['startLine', 'startTokenPos', 'endTokenPos', 'kind', 'rawValue']]);
        try {
            $tree = (new ParserFactory())->create(ParserFactory::ONLY_PHP7, $lexer)->parse($code);
        } catch (\PhpParser\Error $error) {
            return [$error->getMessage()];
        }
        $tokens = $lexer->getTokens();
        $faults = [];
        (new NodeFinder())->find($tree, function (Node $node) use (&$faults, $tokens): bool {
            foreach (self::of($node, $tokens) as $fault) {
                $faults[] = $fault . ' on line ' . $node->getStartLine();
            }

            return false;
        });

        return $faults;
    }

    private static function of(Node $node, array $tokens): array
    {
        $faults = [];
        foreach (self::NEWER as $class => $version) {
            if ($node instanceof $class) {
                $faults[] = substr(strrchr($class, '\\'), 1) . " ($version)";
            }
        }
        $wrong = [
            'a typed property (7.4)' => $node instanceof Node\Stmt\Property && $node->type !== null,
            'a spread in an array (7.4)' => $node instanceof Node\Expr\ArrayItem && $node->unpack,
            'a reference in a list (7.3)' => $node instanceof Node\Expr\Assign && self::takesByReference($node->var),
            'a promoted parameter (8.0)' => $node instanceof Node\Param && $node->flags !== 0,
            'a named argument (8.0)' => $node instanceof Node\Arg && $node->name !== null,
            'a catch without a variable (8.0)' => $node instanceof Node\Stmt\Catch_ && $node->var === null,
            'several or no types to catch' => $node instanceof Node\Stmt\Catch_ && count($node->types) < 1,
            'a trailing comma in a call or a list of parameters (7.3, 8.0)' => self::endsWithComma($node, $tokens),
            'a type of PHP 8' => self::typesOfPhp8($node) !== [],
            'a number with _ (7.4)' => $node instanceof Node\Scalar\LNumber && strpos((string)self::text($node, $tokens), '_') !== false,
            'new in an initialiser (8.1)' => $node instanceof Node\Param && $node->default instanceof Node\Expr\New_,
            'readonly (8.1)' => ($node instanceof Node\Stmt\Property || $node instanceof Node\Stmt\Class_) && ($node->flags & 64) !== 0,
            'final constants (8.1)' => $node instanceof Node\Stmt\ClassConst && ($node->flags & 32) !== 0,
            'an indented end of a heredoc (7.3)' => $node instanceof Node\Scalar
                && in_array($node->getAttribute('kind'), [Node\Scalar\String_::KIND_HEREDOC, Node\Scalar\String_::KIND_NOWDOC], true)
                && preg_match('/\n[ \t]+\w+$/', (string)self::text($node, $tokens)) === 1,
            'a name that came later' => $node instanceof Node\Name && in_array($node->getLast(), self::NAMES, true),
        ];

        return array_merge($faults, array_keys(array_filter($wrong)));
    }

    private static function takesByReference(Node $target): bool
    {
        if (!$target instanceof Node\Expr\List_ && !$target instanceof Node\Expr\Array_) {
            return false;
        }
        foreach ($target->items as $item) {
            if ($item !== null && ($item->byRef || self::takesByReference($item->value))) {
                return true;
            }
        }

        return false;
    }

    /** PHP 7.2 takes a comma before `]` and in array(), not before the `)` of calls, parameters and uses. */
    private static function endsWithComma(Node $node, array $tokens): bool
    {
        $list = [];
        if ($node instanceof Node\Expr && is_array($node->args ?? null)) {
            $list = $node->args;
        } elseif ($node instanceof Node\FunctionLike) {
            $list = $node instanceof Node\Expr\Closure && $node->uses ? $node->uses : $node->getParams();
        }
        if (!$list) {
            return false;
        }
        for ($i = end($list)->getAttribute('endTokenPos') + 1; isset($tokens[$i]); ++$i) {
            if (!is_array($tokens[$i]) || !in_array($tokens[$i][0], [T_WHITESPACE, T_COMMENT, T_DOC_COMMENT], true)) {
                return $tokens[$i] === ',';
            }
        }

        return false;
    }

    private static function typesOfPhp8(Node $node): array
    {
        $types = [];
        if ($node instanceof Node\FunctionLike) {
            $types = array_map(function ($param) {
                return $param->type;
            }, $node->getParams());
            $types[] = $node->getReturnType();
        }
        $words = array_map(function ($type) {
            $type = $type instanceof Node\NullableType ? $type->type : $type;

            return $type instanceof Node\Identifier || $type instanceof Node\Name ? strtolower($type->toString()) : '';
        }, $types);

        return array_intersect($words, ['mixed', 'static', 'never', 'null', 'false', 'true']);
    }

    private static function text(Node $node, array $tokens): string
    {
        $text = '';
        for ($i = $node->getAttribute('startTokenPos'); $i <= $node->getAttribute('endTokenPos'); ++$i) {
            $text .= is_array($tokens[$i]) ? $tokens[$i][1] : $tokens[$i];
        }

        return $text;
    }
}
